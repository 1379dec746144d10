import math
from functools import partial

import pytest
import torch

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.framewise import Framewise
from vgen.generator.motion.direction import DirectionMotion
from vgen.generator.synthesis.inr import INR
from vgen.layer.coordinates import CoordinateWaves
from vgen.layer.factorized_layer import FactorizedLayer

DOUBLE = torch.float64


def build(**changes) -> Framewise:
    torch.manual_seed(0)
    synthesis = partial(
        INR,
        **{"size": 16, "w_dim": 6, "waves": 4, "rank": 2, "timed": True, "start_size": 8} | changes,
        base_channels=4,
        max_channels=8,
    )
    return Framewise(motion=partial(DirectionMotion, motion_dim=3), synthesis=synthesis, content_dim=5).eval()


def test_parameters_of_the_paper():
    with torch.device("meta"):
        synthesis = partial(INR, size=128, base_channels=256, timed=True)
        generator = Framewise(
            motion=DirectionMotion, synthesis=synthesis, content_dim=512, label_to="synthesis"
        )
    assert round(sum(parameter.numel() for parameter in generator.parameters()) / 1e6, 2) == 63.54


def test_a_layer_by_its_formula():
    torch.manual_seed(0)
    layer = FactorizedLayer(3, 4, 5, rank=2).double()
    torch.nn.init.normal_(layer.bias)
    x, w = torch.randn(2, 3, 2, 2, dtype=DOUBLE), torch.randn(2, 5, dtype=DOUBLE)
    style = w @ layer.style.weight.T / math.sqrt(5)
    for frame in range(2):
        left, right = style[frame, :8].view(4, 2), style[frame, 8:].view(2, 3)
        matrix = layer.weight * (1 + left @ right / math.sqrt(2))
        matrix = matrix / matrix.square().sum(1, keepdim=True).sqrt()
        y = torch.einsum("oi,ihw->ohw", matrix, x[frame]) + layer.bias[:, None, None]
        expected = 2**0.5 * torch.where(y > 0, y, 0.2 * y)
        torch.testing.assert_close(layer(x, w)[frame], expected, atol=1e-6, rtol=1e-6)
    layer = FactorizedLayer(2, 2, 2, rank=1).double()
    given = (
        torch.randn(1, 2, 2, 1, dtype=DOUBLE, requires_grad=True),
        torch.randn(1, 2, dtype=DOUBLE, requires_grad=True),
    )
    assert torch.autograd.gradgradcheck(lambda x, w: layer(x, w).pow(2), given)


def test_waves_by_their_formula():
    torch.manual_seed(0)
    layer = CoordinateWaves(3, 3, size=4, waves=2, speed=0.5, timed=True).double()
    for parameter in layer.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)
    w, motion = torch.randn(1, 3, dtype=DOUBLE), torch.tensor([[0.3, -1.0, 2.0]], dtype=DOUBLE)

    def affine(map, x):
        return map.weight @ x / math.sqrt(len(x)) + map.bias

    still = affine(layer.still, w[0])
    directions, phase = math.sqrt(10) * still[:4].view(2, 2), still[4:]
    moved = affine(layer.moving, torch.cat([w[0], motion[0, :2]])) * 2.0 * 0.5
    moved = affine(layer.shift, torch.where(moved > 0, moved, 0.01 * moved))
    phase = phase + affine(layer.shift_out, 2**0.5 * torch.where(moved > 0, moved, 0.2 * moved))
    made = layer(w, motion)[0]
    for row in range(4):
        for column in range(4):
            x, y = column / 4 * 2 - 1, (3 - row) / 4 * 2 - 1
            angle = directions @ torch.tensor([x, y], dtype=DOUBLE) + phase
            torch.testing.assert_close(
                made[:, row, column], torch.cat([angle.sin(), angle.cos()]), rtol=1e-6, atol=1e-6
            )


def test_whole_and_frame_by_frame_are_the_same_video():
    generator = build()
    times = torch.stack([torch.arange(6) * 0.75 - 4, torch.arange(6) * 30.0])
    generator.check_times(times)

    def make(times):
        return generator(generator.sample_latent(2, times, rng.generator(0)), times)

    whole = make(times)
    assert not torch.allclose(whole[:, :, 0], whole[:, :, 1], atol=1e-4)
    pieces = torch.cat([make(part) for part in times.split(1, 1)], 2)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-4)


def test_half_precision_stays_near():
    generator = build()
    times = regular_times(2, 3, 5)
    latent = generator.sample_latent(2, times, rng.generator(0))
    exact = generator(latent, times)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = generator(latent, times)
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().max() < 0.1 * exact.abs().max()


def test_time_zero_is_the_same_whatever_the_direction():
    """There only the content speaks, since the time multiplies all of the motion."""
    generator = build()
    times = regular_times(2, 2, 5)
    latent = generator.sample_latent(2, times, rng.generator(0))
    other = latent | {"motion_code": latent["motion_code"] + 1}
    one, two = generator(latent, times), generator(other, times)
    torch.testing.assert_close(one[:, :, 0], two[:, :, 0])
    assert not torch.allclose(one[:, :, 1], two[:, :, 1], atol=1e-5)


def test_labels_stand_before_the_time():
    motion = DirectionMotion(motion_dim=2, label_dim=2, span=4.0)
    times = torch.tensor([[1.0, -2.0]])
    latent = {"motion_code": torch.tensor([[5.0, 6.0]]), "motion_start": torch.tensor([0])}
    code = motion(latent, times, torch.tensor([[0.0, 1.0]]))
    assert code.tolist() == [[[5.0, 6.0, 0.0, 1.0, 0.25], [5.0, 6.0, 0.0, 1.0, -0.5]]]
    assert motion.dim == 5


def test_in_training_pairs_begin_where_digans_do():
    """Given their distances, the law of the first of two sorted draws, Beta(2, 1) and Beta(1, 2)."""
    numbers = torch.rand(2, 20000, generator=torch.Generator().manual_seed(1))
    pairs = torch.stack([numbers[0].sqrt(), 1 - (1 - numbers[1]).sqrt()]).sort(0).values
    motion = DirectionMotion(motion_dim=1, span=15.0, begin="window")
    times = 15 * torch.stack([torch.zeros(20000), pairs[1] - pairs[0]], 1)
    latent = motion.sample_latent(20000, times, rng.generator(0))
    placed = motion(latent, times, None)[:, :, -1]
    assert placed.min() >= 0
    assert placed.max() <= 1
    quantiles = torch.linspace(0.02, 0.98, 25)
    for frame in (0, 1):
        torch.testing.assert_close(
            placed[:, frame].quantile(quantiles), pairs[frame].quantile(quantiles), atol=0.02, rtol=0
        )
    near = (pairs[1] - pairs[0] - 0.3).abs() < 0.05
    torch.testing.assert_close(placed[near, 0].std(), pairs[0][near].std(), atol=0.01, rtol=0)
    assert not motion.eval().sample_latent(5, times[:5], rng.generator(0))["motion_start"].any()


@pytest.mark.parametrize(("size", "start_size"), [(8, 32), (16, 4), (32, 32), (64, 32)])
def test_sizes(size: int, start_size: int):
    generator = build(size=size, start_size=start_size)
    times = regular_times(1, 2)
    video = generator(generator.sample_latent(1, times, rng.generator(0)), times)
    assert video.shape == (1, 3, 2, size, size)
    joined = sum(block.waves is not None for block in generator.synthesis.blocks)
    assert joined == max(0, int(math.log2(size / start_size)))


def test_what_cannot_be():
    with pytest.raises(ValueError, match="rank=0"):
        build(rank=0)
    with pytest.raises(ValueError, match="start_size=12"):
        build(start_size=12)
    with pytest.raises(ValueError, match="span=0"):
        DirectionMotion(span=0.0)
    with pytest.raises(ValueError, match="begin=late"):
        DirectionMotion(begin="late")
    with pytest.raises(ValueError, match="timed=true"):
        INR(content_dim=3, motion_dim=0, size=8, timed=True)
