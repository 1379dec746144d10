import pytest
import torch
from laws import surprise

from vgen.clip import Sampler
from vgen.sampler.beta_pair import BetaPair


def test_the_law():
    """floor(T u), u ~ Beta(2, 1), is i with chance (2 i + 1) / T^2; Beta(1, 2) mirrors it; equal pairs do not count."""
    window = 6
    late = [(2 * i + 1) / window**2 for i in range(window)]
    early = late[::-1]
    law = {(a, b): late[a] * early[b] + late[b] * early[a] for b in range(window) for a in range(b)}
    total = sum(law.values())
    law = {pair: chance / total for pair, chance in law.items()}
    rng = torch.Generator().manual_seed(0)
    sampler = BetaPair(window=window)
    assert surprise((tuple(sampler(window, rng).tolist()) for _ in range(8000)), law) > 1e-3


def test_windows_start_anywhere():
    sampler = BetaPair(window=2, stride=3)  # so the pair is always (0, 3) of the window
    rng = torch.Generator().manual_seed(0)
    clips = [tuple(sampler(8, rng).tolist()) for _ in range(4000)]
    assert surprise(clips, {(start, start + 3): 1 / 5 for start in range(5)}) > 1e-3


def test_keeps_the_contract():
    sampler = BetaPair(window=16, stride=2)
    assert isinstance(sampler, Sampler)
    assert (sampler.frames, sampler.span) == (2, 31)
    indices = sampler(31, torch.Generator().manual_seed(0))
    assert indices.dtype == torch.int64
    assert 0 <= indices[0] < indices[1] < 31


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 16}, r"clip\.frames=2"),
        ({"window": 1}, r"sampler\.window is 1"),
        ({"stride": 0}, r"sampler\.stride"),
    ],
)
def test_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        BetaPair(**arguments)


def test_short_videos_are_refused():
    with pytest.raises(ValueError, match="15 frames is shorter than the 16"):
        BetaPair()(15, torch.Generator())
