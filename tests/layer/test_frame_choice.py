import itertools

import torch

from vgen import rng
from vgen.layer.frame_choice import halved_frames, random_frames, random_stretch


def in_stream(draw, rows: int, rank: int = 0, world: int = 1) -> torch.Tensor:
    with rng.use_stream(rng.BatchStream(rng.generator(0), rank, world)):
        return draw(rows)


def test_frames_are_different_and_all_alike_likely():
    index = in_stream(lambda rows: random_frames(rows, 5, 2), 4000)
    assert (index[:, 0] != index[:, 1]).all()
    share = index.flatten().bincount(minlength=5) / 4000
    torch.testing.assert_close(share, torch.full((5,), 0.4), rtol=0, atol=0.03)


def test_stretches_have_their_step_and_all_firsts_alike_likely():
    index = in_stream(lambda rows: random_stretch(rows, 9, 3, step=3), 4000)
    assert (index.diff(dim=1) == 3).all()
    share = index[:, 0].bincount(minlength=3) / 4000
    torch.testing.assert_close(share, torch.full((3,), 1 / 3), rtol=0, atol=0.03)


def test_levels_nest_and_begin_anywhere():
    levels = in_stream(lambda rows: halved_frames(rows, 16, 4), 400)
    assert [index.shape[1] for index in levels] == [16, 8, 4, 2]
    for wide, narrow in itertools.pairwise(levels):
        assert ((narrow[:, :, None] == wide[:, None]).sum(2) == 1).all()
        assert (narrow.diff(dim=1) == 2 * wide.diff(dim=1)[:, :1]).all()
    share = levels[-1][:, 0].bincount(minlength=8) / 400
    torch.testing.assert_close(share, torch.full((8,), 1 / 8), rtol=0, atol=0.06)


def test_processes_choose_what_one_would():
    for draw in (
        lambda rows: random_frames(rows, 9, 3),
        lambda rows: random_stretch(rows, 9, 3),
        lambda rows: halved_frames(rows, 8, 3)[-1],
    ):
        halves = [in_stream(draw, 2, rank, 2) for rank in range(2)]
        assert torch.equal(torch.cat(halves), in_stream(draw, 4))
