import pytest
import torch

from vgen.clip import Sampler
from vgen.sampler.consecutive import Consecutive


@pytest.mark.parametrize(("frames", "stride"), [(1, 1), (16, 1), (4, 3), (1, 5)])
def test_indices_are_regular_and_inside(frames, stride):
    sampler = Consecutive(frames=frames, stride=stride)
    rng = torch.Generator().manual_seed(0)
    for available in (sampler.span, sampler.span + 1, sampler.span + 40):
        indices = sampler(available, rng)
        assert indices.dtype == torch.int64
        assert indices.shape == (frames,)
        assert (indices.diff() == stride).all()
        assert 0 <= indices[0] <= indices[-1] < available


def test_every_start_is_equally_likely():
    sampler = Consecutive(frames=3, stride=2)  # span 5: starts 0..3 in 8 frames
    rng = torch.Generator().manual_seed(0)
    starts = torch.stack([sampler(8, rng)[0] for _ in range(4000)])
    counts = torch.bincount(starts).double()
    assert len(counts) == 4
    assert (counts - 1000).abs().max() < 4 * (4000 * 0.25 * 0.75) ** 0.5  # four standard deviations


def test_draws_come_from_the_generator_alone():
    sampler = Consecutive(frames=2)
    first = sampler(1000, torch.Generator().manual_seed(7))
    torch.rand(3)
    assert torch.equal(first, sampler(1000, torch.Generator().manual_seed(7)))


def test_keeps_the_contract():
    sampler = Consecutive(frames=4, stride=3)
    assert isinstance(sampler, Sampler)
    assert (sampler.frames, sampler.span) == (4, 10)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="9 frames is shorter than the 10"):
        Consecutive(frames=4, stride=3)(9, torch.Generator())
    with pytest.raises(ValueError, match=r"sampler\.frames is 0"):
        Consecutive(frames=0)
    with pytest.raises(ValueError, match=r"sampler\.stride is -1"):
        Consecutive(frames=2, stride=-1)
