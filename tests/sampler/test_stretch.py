import math

import pytest
import torch
from laws import surprise

from vgen.clip import Sampler
from vgen.sampler.stretch import Stretch


def share(low, high, slowest, fastest):
    """Chance of log2 s, uniform over [slowest, fastest], to lie between log2 low and log2 high."""
    low, high = max(low, slowest), min(high, fastest)
    return max(0.0, math.log2(high / low)) / math.log2(fastest / slowest)


def test_equal_steps_follow_the_rounded_law():
    sampler = Stretch(frames=4, stride=4)
    rng = torch.Generator().manual_seed(0)
    clips = torch.stack([sampler(60, rng) for _ in range(4000)])
    steps = clips.diff(dim=1)
    assert (steps == steps[:, :1]).all()
    law = {n: share((n - 0.5) / 4, (n + 0.5) / 4, 0.5, 2.0) for n in range(2, 9)}
    assert surprise(steps[:, 0].tolist(), law) > 1e-3


def test_without_equal_steps_every_speed_occurs():
    sampler = Stretch(frames=101, stride=2, equal_steps=False)
    rng = torch.Generator().manual_seed(0)
    clips = torch.stack([sampler(500, rng) for _ in range(1500)])
    assert (clips.diff(dim=1) >= 1).all()
    octaves = ((clips[:, -1] - clips[:, 0]) / 200).log2()
    # Kolmogorov-Smirnov: twice exp(-2 n d^2) is the chance of a distance d from the law.
    distance = ((octaves.sort().values + 1) / 2 - torch.arange(1500) / 1500).abs().max().item()
    assert 2 * math.exp(-2 * 1500 * distance**2) > 1e-3


def test_a_short_video_gives_the_speeds_that_fit():
    sampler = Stretch(frames=4, stride=4)  # lengths 3 * step + 1 for steps 2 .. 8
    rng = torch.Generator().manual_seed(0)
    steps = [int(sampler(14, rng).diff()[0]) for _ in range(3000)]  # room for 4, hence for s up to 4.5 / 4
    law = {n: share((n - 0.5) / 4, (n + 0.5) / 4, 0.5, 4.5 / 4) for n in (2, 3, 4)}
    assert surprise(steps, law) > 1e-3


def test_starts_are_uniform_over_what_leaves_room():
    sampler = Stretch(frames=3, stride=2, slowest=1.0, fastest=1.0)
    rng = torch.Generator().manual_seed(0)
    starts = [int(sampler(9, rng)[0]) for _ in range(2000)]
    assert surprise(starts, dict.fromkeys(range(5), 1 / 5)) > 1e-3


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize(("frames", "stride"), [(1, 2), (2, 2), (16, 2), (16, 3)])
def test_keeps_the_contract(frames, stride, equal):
    sampler = Stretch(frames=frames, stride=stride, equal_steps=equal)
    assert isinstance(sampler, Sampler)
    rng = torch.Generator().manual_seed(0)
    for available in range(sampler.span, sampler.span + 80, 7):
        for _ in range(5):
            indices = sampler(available, rng)
            assert indices.dtype == torch.int64
            assert indices.shape == (frames,)
            assert (indices.diff() > 0).all()
            assert 0 <= indices[0] <= indices[-1] < available


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"set clip\.stride to at least 2, or sampler\.equal_steps=true"):
        Stretch(frames=4, equal_steps=False)
    with pytest.raises(ValueError, match="need 0 < slowest <= fastest"):
        Stretch(frames=4, slowest=2.0, fastest=1.0)
    with pytest.raises(ValueError, match="6 frames is shorter than the 7"):
        Stretch(frames=4, stride=4)(6, torch.Generator())
