import math

import pytest
import torch
from torch import Tensor

from vgen.metric.precision_recall import precision_recall
from vgen.metric.stream import Stream, spectral_statistics


def walks(clips: int, seed: int, rough: float = 0.0) -> Tensor:
    """Frame features (N, 16, 8) that wander, with white noise on top."""
    rng = torch.Generator().manual_seed(seed)
    steps = torch.randn(clips, 16, 8, generator=rng, dtype=torch.float64)
    return steps.cumsum(dim=1) + rough * torch.randn(clips, 16, 8, generator=rng, dtype=torch.float64)


def skewness_of(decay: float, half: int) -> float:
    total = lambda order: sum(f ** (decay + order) for f in range(1, half + 1))  # noqa: E731
    return total(3) * math.sqrt(total(0) / total(2))


def test_still_clip():
    still = torch.tensor([3.0, -2.0]).expand(2, 8, 2)
    skewness, signal = spectral_statistics(still)
    # the spectrum is flat at 1e-6, and the mean signal 2 T |x| / (1 + T/2)
    assert skewness == pytest.approx(torch.full((2, 2), skewness_of(0.0, 4)).double(), rel=1e-6)
    assert signal[0] == pytest.approx(torch.tensor([3.0, 2.0]).double() * 16 / 5, rel=1e-12)


def test_sinusoids_with_amplitudes_of_a_power_law():
    # T samples of cos give |FFT_f| = T/2 times the amplitude below f = T/2, T times it there
    decay, frames = -1.5, 16
    time = torch.arange(frames).double() / frames
    clip = torch.zeros(frames, dtype=torch.float64)
    for f in range(1, 9):
        amplitude = f**decay * 1e3 * (0.5 if f == 8 else 1.0)
        clip += amplitude * torch.cos(2 * math.pi * f * time)
    skewness, signal = spectral_statistics(clip[None, :, None])
    assert skewness.item() == pytest.approx(skewness_of(decay, 8), rel=1e-6)
    assert signal.item() == pytest.approx(0.0, abs=1e-9)


def test_one_pure_sinusoid():
    # all of the power at f = 1: least squares through one large and three tiny amplitudes
    frames = 8
    clip = torch.cos(2 * math.pi * torch.arange(frames).double() / frames)
    heights = [math.log(2 * (frames / 2) / 5 + 1e-6)] + [math.log(1e-6)] * 3
    logs = [math.log(f) for f in range(1, 5)]
    mean = sum(logs) / 4
    decay = sum((x - mean) * y for x, y in zip(logs, heights, strict=True)) / sum(
        (x - mean) ** 2 for x in logs
    )
    assert spectral_statistics(clip[None, :, None])[0].item() == pytest.approx(
        skewness_of(decay, 4), rel=1e-6
    )


def test_real_against_itself():
    found = Stream().measure(walks(60, 1), walks(60, 1))
    assert found["stream_t"].value == pytest.approx(1.0, rel=1e-12)
    assert found["stream_f"].value == found["stream_d"].value == 1.0


def test_time_and_space_apart():
    real, alike = walks(200, 1), walks(200, 2)
    # frames in random order: the mean of each clip is the same, its spectrum is not
    shuffled = alike[:, torch.randperm(16, generator=torch.Generator().manual_seed(0))]
    good, bad = Stream().measure(real, alike), Stream().measure(real, shuffled)
    assert bad["stream_t"].value < 0.5 * good["stream_t"].value
    assert bad["stream_f"].value == good["stream_f"].value
    values = [Stream().measure(real, walks(200, 2, rough))["stream_t"].value for rough in (0.0, 1.0, 4.0)]
    assert values == sorted(values, reverse=True)
    moved = Stream().measure(real, alike + 100)
    assert moved["stream_t"].value == pytest.approx(good["stream_t"].value, rel=1e-6)
    assert moved["stream_f"].value == moved["stream_d"].value == 0.0
    assert (
        good["stream_f"].value
        == precision_recall(*(spectral_statistics(side)[1] for side in (real, alike)), k=5, closed=False)[0]
    )


def test_lengths():
    with pytest.raises(ValueError, match="clips of 3 frames have no spectrum"):
        Stream().measure(walks(20, 1)[:, :3], walks(20, 2)[:, :3])
    with pytest.raises(ValueError, match="real clips have 16 frames, fake clips 8"):
        Stream().measure(walks(20, 1), walks(20, 2)[:, :8])
