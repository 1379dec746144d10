import numpy as np
import pytest
import torch
from test_kaiser import response

from vgen import rng
from vgen.layer.keyed_noise import clip_seeds
from vgen.layer.lowpass_noise import LowpassNoise, correlate


@pytest.mark.parametrize(("length", "taps"), [(1, 1), (5, 700), (130, 40), (300, 3000), (1000, 3)])
def test_long_filters_in_parts_are_a_correlation(length: int, taps: int):
    torch.manual_seed(0)
    signal = torch.randn(2, 3, length + taps - 1, dtype=torch.float64)
    filters = torch.randn(4, taps, dtype=torch.float64)
    expected = torch.nn.functional.conv1d(signal.flatten(0, 1)[:, None], filters[:, None])
    torch.testing.assert_close(correlate(signal, filters), expected.unflatten(0, (2, 3)))


def test_the_correlation_can_be_differentiated_twice():
    signal = torch.randn(1, 2, 9, dtype=torch.float64, requires_grad=True)
    filters = torch.randn(2, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: correlate(x, filters), signal)
    assert torch.autograd.gradgradcheck(lambda x: correlate(x, filters).square(), signal)


def test_published_filters():
    """128 filters of 125 to 5000 taps, log-spaced, each of energy 1 and ending at the frame itself."""
    noise = LowpassNoise()
    assert noise.dim == 1024
    assert noise.taps.shape == (128, 5000)
    torch.testing.assert_close(noise.taps.square().sum(1), torch.ones(128))
    sizes = (noise.taps != 0).sum(1)
    assert sizes[0] in (124, 125)  # a tap at the window's end may be 0
    assert sizes[-1] in (4999, 5000)
    steps = (noise.taps != 0).float().argmax(1).sub(5000).neg().log2().diff()
    torch.testing.assert_close(steps, torch.full((127,), np.log2(40) / 127).float(), atol=0.02, rtol=0)
    assert noise.taps[0, -1] != 0 or noise.taps[0, -2] != 0


@pytest.mark.parametrize("footprint", [20.0, 125.0])
def test_a_filter_passes_periods_above_its_footprint(footprint: float):
    taps = LowpassNoise(channels=1, filters=1, shortest=footprint, longest=footprint).taps[0]
    passed = taps.sum().item()
    curve = response(taps / passed, np.linspace(0, 0.5, 2000), 1.0)
    period = 1 / np.linspace(1e-9, 0.5, 2000)
    assert curve[period > 4 * footprint].min() > 0.9
    assert curve[period < footprint / 4].max() < 0.03
    half = period[np.argmin(np.abs(curve - 0.5))]
    assert 0.5 * footprint < half < 1.5 * footprint


def test_what_comes_out_is_normal_and_slower_through_longer_filters():
    noise = LowpassNoise(channels=2, filters=3, shortest=4.0, longest=64.0)
    first = torch.zeros(2, dtype=torch.int64)
    codes = noise(noise.draw(clip_seeds(2, rng.generator(0)), first, 20000))
    assert codes.shape == (2, 20000, 6)
    assert (codes.std(1) - 1).abs().max() < 0.1
    assert codes.mean(1).abs().max() < 0.15
    speed = codes.diff(dim=1).square().mean((0, 1)).view(2, 3)  # of each channel, the shortest filter first
    assert (speed.diff(dim=1) < 0).all()


def test_a_stretch_of_the_time_line_is_the_same_by_itself():
    noise = LowpassNoise(channels=3, filters=4, shortest=4.0, longest=500.0)
    seeds = clip_seeds(2, rng.generator(3))
    first = torch.tensor([-700, 250])
    whole = noise(noise.draw(seeds, first, 600))
    part = noise(noise.draw(seeds, first + 500, 70))
    torch.testing.assert_close(part, whole[:, 500:570], atol=1e-5, rtol=1e-5)
    assert noise.draw(seeds, first + 10**6, 70).shape == (2, 569, 3)  # as much memory anywhere


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"channels": 0}, "channels=0"), ({"shortest": 2.0}, "shortest=2"), ({"longest": 50.0}, "longest=50")],
)
def test_what_is_refused(arguments: dict[str, float], message: str):
    with pytest.raises(ValueError, match=message):
        LowpassNoise(**arguments)
