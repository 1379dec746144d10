import pytest
import torch
from laws import surprise

from vgen.clip import Sampler
from vgen.sampler.coarse_to_fine import CoarseToFine


@pytest.mark.parametrize(("available", "steps"), [(40, [1, 2, 4, 8]), (8, [1, 2])])
def test_the_law(available, steps):
    """Levels that fit are equally likely, and so are the starts of each."""
    sampler = CoarseToFine(frames=4)
    rng = torch.Generator().manual_seed(0)
    clips = [tuple(sampler(available, rng).tolist()) for _ in range(6000)]
    law = {
        tuple(start + step * i for i in range(4)): 1 / len(steps) / (available - 3 * step)
        for step in steps
        for start in range(available - 3 * step)
    }
    assert surprise(clips, law) > 1e-3


def test_keeps_the_contract():
    sampler = CoarseToFine(frames=4, levels=2, stride=3)
    assert isinstance(sampler, Sampler)
    assert (sampler.frames, sampler.span) == (4, 10)
    assert sampler(10, torch.Generator().manual_seed(0)).tolist() == [0, 3, 6, 9]


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"sampler\.levels is 0"):
        CoarseToFine(frames=4, levels=0)
    with pytest.raises(ValueError, match="3 frames is shorter than the 4"):
        CoarseToFine(frames=4)(3, torch.Generator())
