import numpy as np
import pytest
import torch

from vgen.data.evaluation_clips import real_clips
from vgen.data.shapes import Shapes


class Numbered:
    """Videos of different lengths whose pixels are (number of the video, number of the frame)."""

    name, classes, fps, skipped, fingerprint = "numbered", [], None, [], "0"
    lengths = (10, 3, 8, 12, 7)

    def prepare(self) -> None: ...

    def setup(self) -> None: ...

    def __len__(self) -> int:
        return len(self.lengths)

    def length(self, i: int) -> int:
        return self.lengths[i]

    def label(self, i: int) -> None:
        return None

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        pixels = np.zeros((len(indices), 2, 2, 3), np.uint8)
        pixels[..., 0], pixels[..., 1] = i, indices[:, None, None]
        return pixels


def drawn(**arguments) -> torch.Tensor:
    """(count, T, 2): video and frame of each frame of each clip."""
    defaults = {"frames": 4, "stride": 2, "count": 8, "seed": 0, "batch": 3}
    return torch.cat(list(real_clips(Numbered(), **{**defaults, **arguments})))[:, :, 0, 0, :2].long()


def test_batches_are_pixels():
    batches = list(real_clips(Shapes(size=16, videos=4), frames=5, stride=2, count=7, seed=0, batch=3))
    assert [batch.shape for batch in batches] == [(3, 5, 16, 16, 3), (3, 5, 16, 16, 3), (1, 5, 16, 16, 3)]
    assert {batch.dtype for batch in batches} == {torch.uint8}


def test_one_clip_per_video_then_again_with_other_starts():
    clips = drawn(count=600, frames=2, stride=1)
    videos, starts = clips[:, 0, 0], clips[:, 0, 1]
    for turn in videos.split(5):
        assert sorted(turn.tolist()) == [0, 1, 2, 3, 4]
    assert (clips.diff(dim=1)[..., 0] == 0).all()
    assert (clips.diff(dim=1)[..., 1] == 1).all()
    for video, length in enumerate(Numbered.lengths):
        assert set(starts[videos == video].tolist()) == set(range(length - 1))


def test_short_videos_are_left_out():
    clips = drawn(count=12)  # span 7: the second video has 3 frames
    assert set(clips[:, 0, 0].tolist()) == {0, 2, 3, 4}
    assert (clips[clips[:, 0, 0] == 4][:, 0, 1] == 0).all()  # the one start that fits
    with pytest.raises(ValueError, match=r"no video of numbered has the 21 frames .* longest has 12"):
        real_clips(Numbered(), frames=6, stride=4, count=1, seed=0, batch=1)


def test_the_list_depends_on_seed_and_not_on_batch_or_count():
    assert torch.equal(drawn(batch=1), drawn(batch=8))
    assert torch.equal(drawn(count=20)[:8], drawn(count=8))
    assert not torch.equal(drawn(seed=1), drawn(seed=0))


def test_arguments_are_checked():
    for name in ("frames", "stride", "count", "batch"):
        with pytest.raises(ValueError, match=f"{name} is 0"):
            drawn(**{name: 0})
