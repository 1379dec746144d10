import numpy as np
import pytest
import torch

from vgen.data.clips import Clips, Draw
from vgen.data.shapes import Shapes


class EverySecond:
    """Three frames, two apart, from a random start."""

    frames, span = 3, 5

    def __call__(self, available: int, rng: torch.Generator) -> torch.Tensor:
        return torch.randint(available - 4, (), generator=rng) + torch.tensor([0, 2, 4])


def clips(seed: int = 0, flip: bool = False) -> Clips:
    return Clips(source=Shapes(size=16, videos=5), sampler=EverySecond(), seed=seed, flip=flip)


def test_a_clip_is_the_frames_that_the_sampler_chose():
    clip = clips()[Draw(position=11, video=3)]
    assert clip["pixels"].dtype == torch.uint8
    assert clip["pixels"].shape == (3, 16, 16, 3)
    assert clip["times"].dtype == torch.float32
    assert clip["times"].tolist() == [0, 2, 4]
    assert clip["label"].dtype == torch.int64
    source = Shapes(size=16, videos=5)
    assert clip["label"] == source.label(3)
    video = source.read(3, np.arange(32))
    starts = [
        start for start in range(28) if np.array_equal(clip["pixels"], video[[start, start + 2, start + 4]])
    ]
    assert len(starts) == 1


def test_a_clip_follows_from_seed_and_position():
    draw = Draw(4, 2)
    assert torch.equal(clips()[draw]["pixels"], clips()[draw]["pixels"])
    starts = {clips()[Draw(position, 2)]["pixels"].numpy().tobytes() for position in range(20)}
    assert len(starts) > 5
    seeds = {clips(seed)[draw]["pixels"].numpy().tobytes() for seed in range(20)}
    assert len(seeds) > 5


def test_flip_mirrors_whole_clips_half_of_the_time_and_moves_nothing_else():
    mirrored = 0
    for position in range(200):
        plain, flipped = clips()[Draw(position, 1)], clips(flip=True)[Draw(position, 1)]
        assert torch.equal(plain["times"], flipped["times"])
        if not torch.equal(plain["pixels"], flipped["pixels"]):
            assert torch.equal(plain["pixels"].flip(2), flipped["pixels"])
            mirrored += 1
    assert 70 < mirrored < 130


def test_videos_without_classes_have_no_label():
    unlabelled = clips()
    unlabelled.source.label = lambda i: None  # pyright: ignore[reportAttributeAccessIssue]
    assert set(unlabelled[Draw(0, 0)]) == {"pixels", "times"}


@pytest.mark.parametrize("video", [5, -1])
def test_a_draw_outside_the_set_is_an_error(video):
    with pytest.raises(IndexError):
        clips()[Draw(0, video)]


class Canvas(Shapes):
    """Frames of 16 x 16 cut out of more."""

    crops = (3, 5)

    def read_at(self, i: int, indices: np.ndarray, top: int, left: int) -> np.ndarray:
        frames = self.read(i, indices)
        frames[..., 0], frames[..., 1] = top, left
        return frames


def test_where_a_clip_is_cut_out_follows_from_seed_and_position():
    def places(seed: int, workers: int = 0) -> list[tuple[int, int]]:
        source = Canvas(size=16, videos=5)
        data = Clips(source=source, sampler=EverySecond(), seed=seed)
        draws = [Draw(position, 1) for position in range(40)]
        batches = torch.utils.data.DataLoader(
            data, batch_sampler=[draws[:20], draws[20:]], num_workers=workers, collate_fn=lambda batch: batch
        )
        pixels = torch.cat([batch["pixels"] for batch in batches])
        assert (pixels[..., :2] == pixels[:, :1, :1, :1, :2]).all()  # the same for all frames of a clip
        return [(int(top), int(left)) for top, left in pixels[:, 0, 0, 0, :2]]

    assert places(0) == places(0, workers=2) != places(1)
    assert {top for top, _ in places(0)} == {0, 1, 2}
    assert {left for _, left in places(0)} == {0, 1, 2, 3, 4}
