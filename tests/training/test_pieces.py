import torch

from vgen.clip import Clip, regular_times
from vgen.training.pieces import split_rows


def test_parts_of_a_batch_keep_all_that_belongs_to_their_clips():
    clip = Clip(
        torch.rand(4, 3, 2, 8, 8),
        regular_times(4, 2),
        torch.arange(4),
        levels=2,
        low=torch.rand(4, 3, 2, 4, 4),
    )
    parts = split_rows(clip, 2)
    assert [part.levels for part in parts] == [2, 2]
    for name in ("video", "times", "label", "low"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(clip, name))
    bare = split_rows(Clip(clip.video, clip.times), 4)[3]
    assert bare.low is None
    assert bare.label is None
    assert torch.equal(bare.video, clip.video[3:])
