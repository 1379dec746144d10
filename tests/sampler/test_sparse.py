import itertools
import math

import pytest
import torch
from laws import surprise

from vgen.clip import Sampler
from vgen.sampler.sparse import Sparse


def draw(sampler, available, count):
    rng = torch.Generator().manual_seed(0)
    return [tuple(sampler(available, rng).tolist()) for _ in range(count)]


@pytest.mark.parametrize(("frames", "available"), [(1, 5), (2, 6), (3, 6), (4, 12)])
def test_the_law(frames, available):
    """Every clip's chance: 1 / distances, 1 / starts, 1 / sets of frames between."""
    sampler = Sparse(frames=frames)
    distances = [d for d in (1, 2, 4, 8, 16, 32) if frames - 1 <= d < available] if frames > 1 else [0]
    law = {}
    for d in distances:
        between = list(itertools.combinations(range(1, d), frames - 2)) if frames > 2 else [()]
        for first in range(available - d):
            for middle in between:
                clip = (first, *(first + m for m in middle), *([first + d] if frames > 1 else []))
                law[clip] = 1 / len(distances) / (available - d) / len(between)
    assert surprise(draw(sampler, available, 12000), law) > 1e-3


def test_distances_of_the_paper():
    """Three frames: total distances 2, 4, 8, 16 and 32, equally likely."""
    clips = draw(Sparse(frames=3), 200, 2000)
    law = dict.fromkeys((2, 4, 8, 16, 32), 1 / 5)
    assert surprise([clip[-1] - clip[0] for clip in clips], law) > 1e-3


@pytest.mark.parametrize("frames", [1, 2, 3, 16, 33])
def test_keeps_the_contract(frames):
    sampler = Sparse(frames=frames)
    assert isinstance(sampler, Sampler)
    rng = torch.Generator().manual_seed(0)
    for available in (sampler.span, sampler.span + 1, 100):
        indices = sampler(available, rng)
        assert indices.dtype == torch.int64
        assert indices.shape == (frames,)
        assert (indices.diff() > 0).all()
        assert 0 <= indices[0] <= indices[-1] < available


def test_span_is_the_shortest_distance_that_holds_the_frames():
    assert [Sparse(frames=k).span for k in (1, 2, 3, 4, 16)] == [1, 2, 3, 5, 17]
    assert Sparse(frames=3, distances=[7]).span == 8


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"clip\.frames=3"):
        Sparse(frames=40)
    with pytest.raises(ValueError, match=r"sampler\.frames is 0"):
        Sparse(frames=0)
    with pytest.raises(ValueError, match="4 frames is shorter than the 5"):
        Sparse(frames=4)(4, torch.Generator())


def test_number_of_clips_of_a_distance():
    """Of distance 8, three frames have 7 middles; all appear."""
    clips = draw(Sparse(frames=3, distances=[8]), 9, 500)
    assert len(set(clips)) == math.comb(7, 1)
