"""Motion sources that make a frame at any time: one endless video per latent, however it is cut."""

from functools import partial

import pytest
import torch
from torch import Tensor

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.motion.direction import DirectionMotion
from vgen.generator.motion.fourier import FourierMotion
from vgen.generator.motion.lowpass import LowpassMotion
from vgen.generator.motion.noise import NoiseMotion
from vgen.generator.motion.sinusoid import SinusoidMotion
from vgen.generator.motion.spline import SplineMotion
from vgen.generator.motion.static import StaticMotion
from vgen.layer.anchors import pick

SMALL = {"motion_dim": 6, "noise_dim": 4, "distance": 8.0, "kernel": 3}
MOTIONS = {
    "direction": partial(DirectionMotion, motion_dim=3),
    "fourier": partial(FourierMotion, **SMALL),
    "lowpass": partial(LowpassMotion, noise_channels=2, filters=3, shortest=4.0, longest=300.0),
    "noise": partial(NoiseMotion, motion_dim=3),
    "sinusoid": partial(SinusoidMotion, motion_dim=3, noise_dim=4),
    "spline": partial(SplineMotion, **SMALL),
    "static": partial(StaticMotion, motion_dim=3),
}
ANCHORED = [FourierMotion, SplineMotion]
LABEL = torch.eye(2)[[0, 1]]


def codes(motion, times: Tensor, seed: int = 0, label: Tensor | None = None) -> Tensor:
    with torch.no_grad():
        return motion(motion.sample_latent(len(times), times, rng.generator(seed)), times, label)


def make(kind, **arguments):
    torch.manual_seed(0)
    return kind(**arguments)


@pytest.mark.parametrize("name", MOTIONS)
def test_whole_chunked_and_frame_by_frame_are_the_same_video(name: str):
    motion = make(MOTIONS[name], label_dim=2)
    times = torch.stack([torch.arange(40) * 0.75 - 6, torch.arange(40) + 0.5])  # negative and fractional
    motion.check_times(times)
    whole = codes(motion, times, label=LABEL)
    assert whole.shape == (2, 40, motion.dim)
    for length in (1, 16):
        chunks = [codes(motion, part, label=LABEL) for part in times.split(length, 1)]
        torch.testing.assert_close(torch.cat(chunks, 1), whole)
    assert not torch.allclose(codes(motion, times, seed=1, label=LABEL), whole)
    assert not torch.allclose(codes(motion, times, label=LABEL.flip(0)), whole)


@pytest.mark.parametrize("name", ["direction", "fourier", "lowpass", "sinusoid", "spline", "static"])
def test_one_latent_serves_any_times_in_its_range(name: str):
    motion = make(MOTIONS[name])
    times = regular_times(2, 50)
    latent = motion.sample_latent(2, times, rng.generator(0))
    whole = motion(latent, times, None)
    chosen = torch.tensor([[3, 30, 31], [0, 7, 49]])
    expected = whole.gather(1, chosen[..., None].expand(-1, -1, motion.dim))
    torch.testing.assert_close(motion(latent, times.gather(1, chosen), None), expected)


@pytest.mark.parametrize("name", MOTIONS)
def test_thousands_of_frames(name: str):
    motion = make(MOTIONS[name])
    last = codes(motion, regular_times(1, 3000))[:, -8:]
    torch.testing.assert_close(last, codes(motion, 2992 + regular_times(1, 8)), rtol=1e-4, atol=1e-4)
    assert last.isfinite().all()


@pytest.mark.parametrize("name", MOTIONS)
def test_clips_drawn_one_by_one_stand_side_by_side(name: str):
    """Their latents have equal shapes, wherever on its time line each clip starts."""
    motion = make(MOTIONS[name])
    times = regular_times(1, 20)
    drawn = [motion.sample_latent(1, times, rng.generator(seed)) for seed in range(8)]
    together = {part: torch.cat([latent[part] for latent in drawn]) for part in drawn[0]}
    expected = torch.cat([motion(latent, times, None) for latent in drawn])
    torch.testing.assert_close(motion(together, times.expand(8, -1), None), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", ANCHORED)
def test_a_latent_serves_the_times_of_other_clips_of_the_batch(kind):
    motion = make(kind, **SMALL)
    times = torch.tensor([[0.0, 1, 2], [0.0, 40, 75]])
    latent = motion.sample_latent(2, times, rng.generator(0))
    swapped = motion({name: part.roll(1, 0) for name, part in latent.items()}, times, None)
    torch.testing.assert_close(swapped.flip(0), motion(latent, times.flip(0), None))


@pytest.mark.parametrize("name", MOTIONS)
def test_half_precision_keeps_time_apart(name: str):
    """Frames far out on the time line must not fall together where layers compute in bfloat16."""
    motion = make(MOTIONS[name])
    times = 2000 + regular_times(2, 6)
    full = codes(motion, times)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = codes(motion, times)
    torch.testing.assert_close(half.float(), full, atol=0.05, rtol=0.05)
    if name != "static":
        assert (half.diff(dim=1).abs().amax(2) > 0).all()


def test_static_stands_still_and_noise_does_not_repeat():
    times = regular_times(2, 9)
    still = codes(make(MOTIONS["static"]), times)
    assert torch.equal(still, still[:, :1].expand_as(still))
    noise = codes(make(MOTIONS["noise"], motion_dim=400), times)
    assert torch.corrcoef(noise.flatten(0, 1)).fill_diagonal_(0).abs().max() < 0.25
    zeros = torch.tensor([[0.0, -0.0], [0.0, -0.0]])
    assert torch.equal(*codes(make(MOTIONS["noise"]), zeros).unbind(1))


def test_noise_of_other_times_is_refused():
    motion = make(NoiseMotion, motion_dim=2)
    latent = motion.sample_latent(1, regular_times(1, 4), rng.generator(0))
    with pytest.raises(ValueError, match="4 frames cannot make 5"):
        motion(latent, regular_times(1, 5), None)


def test_each_band_of_sinusoids_repeats_after_its_period():
    motion = make(SinusoidMotion, motion_dim=3, noise_dim=4, bands=3, shortest_period=4.0).double()
    times = torch.arange(32, dtype=torch.float64)[None]
    latent = {"motion_noise": torch.randn(1, 3, 4, dtype=torch.float64)}
    code = motion(latent, times, None)
    torch.testing.assert_close(code[:, :16], code[:, 16:])
    assert not torch.allclose(code[:, :8], code[:, 8:16])
    single = latent["motion_noise"].clone()
    amplitude, phase = (
        single[:, 0] @ weight[0] for weight in (motion.amplitude.detach(), motion.phase.detach())
    )
    with torch.no_grad():
        motion.amplitude[1:] = 0
    angle = 2 * torch.pi * times[..., None] / 4 + torch.pi * phase[:, None]
    torch.testing.assert_close(motion(latent, times, None), amplitude[:, None] * angle.sin() / 3**0.5)
    with pytest.raises(ValueError, match=r"bands=0"):
        SinusoidMotion(bands=0)


def test_waves_end_in_a_learned_vector_at_every_anchor():
    motion = make(FourierMotion, **SMALL, start=0.0).double()
    anchors = torch.arange(-2, 4, dtype=torch.float64)[None] * 8
    drawn = motion.sample_latent(1, anchors, rng.generator(0))
    latent = drawn | {"motion_noise": drawn["motion_noise"].double()}
    aligned = motion.aligner(motion.anchors(latent, None))
    torch.testing.assert_close(motion(latent, anchors, None), aligned[:, : anchors.shape[1]])
    before, after = (motion(latent, anchors[:, 1:] + side, None) for side in (-1e-9, 1e-9))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-6)


def test_waves_are_those_of_the_paper():
    motion = make(FourierMotion, **SMALL, start=0.0).double()
    drawn = motion.sample_latent(1, torch.tensor([[19.0]]), rng.generator(0))
    latent = drawn | {"motion_noise": drawn["motion_noise"].double()}
    u = motion.anchors(latent, None)[0]
    left, right, _ = u  # the anchors at 16, 24 and 32

    def linear(layer, code):
        return layer.weight @ code / len(code) ** 0.5

    period = torch.tensor([16.0, 128.0, 1024.0], dtype=torch.float64)
    frequency = 2 * torch.pi / period * (linear(motion.speed, left).tanh() + 1)

    def wave(t: float):
        angle = frequency * t + linear(motion.phase, left) * 1024 / period
        return torch.cat([angle.sin(), angle.cos()])

    way = 3 / 8
    code = wave(19) - (1 - way) * wave(16) - way * wave(24)
    code = code + (1 - way) * linear(motion.aligner, left) + way * linear(motion.aligner, right)
    torch.testing.assert_close(motion(latent, torch.tensor([[19.0]]).double(), None)[0, 0], code)


def test_the_spline_has_no_jerk():
    motion = make(SplineMotion, **SMALL, start=0.0).double()
    times = torch.linspace(-20, 60, 8001, dtype=torch.float64)[None]  # steps of 0.01
    drawn = motion.sample_latent(1, times, rng.generator(0))
    latent = drawn | {"motion_noise": drawn["motion_noise"].double()}
    path = motion(latent, times, None)
    speed = path.diff(dim=1) / 0.01
    assert speed.abs().max() > 1e-3
    assert speed.diff(dim=1).abs().max() < 1e-2 * speed.abs().max()
    aligned = motion.aligner(motion.anchors(latent, None))
    at_zero = motion(latent, torch.zeros(1, 1).double(), None)[0, 0]
    middle = int(-latent["motion_first"][0]) - motion.anchors.margin
    weights = torch.tensor([1 / 8, 3 / 4, 1 / 8], dtype=torch.float64)
    torch.testing.assert_close(at_zero, weights @ aligned[0, middle - 1 : middle + 2])


@pytest.mark.parametrize("kind", ANCHORED)
def test_clips_start_at_random_places_of_their_time_lines(kind):
    motion = make(kind, **SMALL, start=100.0)
    starts = motion.sample_latent(400, regular_times(400, 2), rng.generator(0))["motion_start"] / 256
    assert starts.min() >= 0
    assert starts.max() < 100
    assert abs(starts.mean() - 50) < 6
    assert len(starts.unique()) > 350


@pytest.mark.parametrize("kind", ANCHORED)
def test_what_anchors_refuse(kind):
    motion = make(kind, **SMALL)
    latent = motion.sample_latent(1, regular_times(1, 4), rng.generator(0))
    with pytest.raises(ValueError, match="drawn for other times"):
        motion(latent, 500 + regular_times(1, 4), None)
    for arguments, message in (
        ({"distance": 0.0}, "distance=0"),
        ({"kernel": 4}, "kernel=4"),
        ({"start": -1.0}, r"start=-1"),
    ):
        with pytest.raises(ValueError, match=message):
            kind(**SMALL | arguments)


def test_what_waves_refuse():
    with pytest.raises(ValueError, match="motion_dim=5"):
        FourierMotion(motion_dim=5)
    with pytest.raises(ValueError, match="longest_period"):
        FourierMotion(shortest_period=32.0, longest_period=16.0)


def test_pick_takes_rows_of_each_clip():
    table = torch.arange(12.0).view(2, 3, 2)
    assert torch.equal(pick(table, torch.tensor([[2, 0], [1, 1]]))[1, 0], table[1, 1])
