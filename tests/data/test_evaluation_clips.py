import numpy as np
import pytest
import torch

from vgen.data.evaluation_clips import VideoClips, draw_labels
from vgen.data.shapes import Shapes
from vgen.data.source import Skipped
from vgen.protocol.contract import ClipSet


class Numbered:
    """Videos of different lengths whose pixels are (number of the video, number of the frame)."""

    fps, fingerprint = None, "0"
    skipped = [Skipped("broken.mp4", "no container of videos")]  # noqa: RUF012

    def __init__(self, lengths=(10, 3, 8, 12, 7), classes=(), **facts) -> None:
        self.name, self.lengths, self.classes = "numbered", lengths, list(classes)
        self.__dict__ |= facts

    def prepare(self) -> None: ...

    def setup(self) -> None: ...

    def __len__(self) -> int:
        return len(self.lengths)

    def length(self, i: int) -> int:
        return self.lengths[i]

    def label(self, i: int) -> int | None:
        return i % len(self.classes) if self.classes else None

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        pixels = np.zeros((len(indices), 2, 3, 3), np.uint8)
        pixels[..., 0], pixels[..., 1] = i, indices[:, None, None]
        return pixels


def clips(source=None, **arguments) -> VideoClips:
    return VideoClips(source or Numbered(), **{"frames": 4, "stride": 2, **arguments})


def drawn(source=None, **arguments) -> list[tuple[int, int]]:
    """Video and first frame of every clip, read through the pixels."""
    chosen = clips(source, **arguments)
    pixels = chosen.read(range(len(chosen)))
    stride = arguments.get("stride", 2)
    assert (pixels[:, :, 0, 0, 1].diff(dim=1) == stride).all()
    assert (pixels[:, :, 0, 0, 0].diff(dim=1) == 0).all()
    return [(int(clip[0, 0, 0, 0]), int(clip[0, 0, 0, 1])) for clip in pixels]


def test_is_a_set_of_clips():
    chosen = VideoClips(Shapes(size=16, videos=4), frames=5, stride=2, count=7)
    assert isinstance(chosen, ClipSet)
    pixels = chosen.read([6, 0, 0])
    assert (pixels.shape, pixels.dtype) == ((3, 5, 16, 16, 3), torch.uint8)
    assert torch.equal(pixels[1], pixels[2])
    assert chosen.labels is not None
    assert torch.equal(chosen.labels[:3], chosen.labels[4:])
    assert set(chosen.labels.tolist()) <= {0, 1}
    with pytest.raises(IndexError, match="clip 7 of 7"):
        chosen.read([7])


def test_cycle_is_one_clip_per_video_then_again_with_other_starts():
    chosen = drawn(choice="cycle", count=600, frames=2, stride=1)
    for turn in range(0, 600, 5):
        assert [v for v, _ in chosen[turn : turn + 5]] == [v for v, _ in chosen[:5]]
    assert sorted(v for v, _ in chosen[:5]) == [0, 1, 2, 3, 4]
    for video, length in enumerate(Numbered().lengths):
        assert {start for v, start in chosen if v == video} == set(range(length - 1))


def test_random_takes_each_video_as_often_as_asked():
    assert sorted(v for v, _ in drawn(choice="random")) == [0, 2, 3, 4]
    several = drawn(choice="random", clips_per_video=3, count=100)
    assert sorted(v for v, _ in several) == [0] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert {start for v, start in several if v == 4} == {0}  # the one start that fits
    assert drawn(choice="random", count=2) == drawn(choice="random")[:2]


def test_first_and_center_follow_from_the_videos_alone():
    assert drawn(choice="first", order="sorted") == [(0, 0), (2, 0), (3, 0), (4, 0)]
    # 10, 8, 12 and 7 frames, of which a clip spans 7
    assert drawn(choice="center", order="sorted") == [(0, 1), (2, 0), (3, 2), (4, 0)]
    assert set(drawn(choice="first", seed=3)) == set(drawn(choice="first", order="sorted"))


def test_windows_are_all_that_fit():
    sliding = drawn(choice="windows", order="sorted")
    assert sliding == [(v, s) for v, room in ((0, 3), (2, 1), (3, 5), (4, 0)) for s in range(room + 1)]
    assert drawn(choice="windows", order="sorted", hop=2) == [(v, s) for v, s in sliding if s % 2 == 0]
    assert drawn(choice="windows", order="sorted", clips_per_video=2) == [(v, s) for v, s in sliding if s < 2]
    shuffled = drawn(choice="windows")
    assert sorted(shuffled) == sliding
    assert shuffled[:4] != sliding[:4]
    assert drawn(choice="windows", count=5) == shuffled[:5]
    blocks = drawn(choice="windows", order="sorted", frames=3, stride=1, hop=3)
    assert [start for video, start in blocks if video == 3] == [0, 3, 6, 9]


def test_sorted_is_by_name_as_text():
    source = Numbered(lengths=(9, 9, 9), names=["v1", "v2", "v10"])
    assert [v for v, _ in drawn(source, choice="first", order="sorted")] == [0, 2, 1]
    assert [v for v, _ in drawn(source, choice="cycle", order="sorted", count=6)] == [0, 2, 1] * 2


def test_short_videos_are_left_out_and_listed():
    chosen = clips(choice="first")
    assert chosen.info["videos"] == 4
    assert chosen.info["skipped"] == [
        {"path": "broken.mp4", "reason": "no container of videos"},
        {"path": "video 1", "reason": "3 frames, 7 needed"},
    ]
    longer = clips(choice="first", shortest=10, order="sorted")
    assert [longer.locate(k)[0] for k in range(len(longer))] == [0, 3]
    assert longer.info["skipped"][-1]["reason"] == "7 frames, 10 needed"
    with pytest.raises(ValueError, match=r"no video of numbered has the 21 frames .* longest has 12"):
        clips(frames=6, stride=4, choice="first")


def test_the_list_depends_on_seed_and_clip_and_on_nothing_else():
    for choice in ("cycle", "random", "windows"):
        assert drawn(choice=choice, count=12, seed=1) != drawn(choice=choice, count=12, seed=0)
        assert drawn(choice=choice, count=3) == drawn(choice=choice, count=4)[:3]
    chosen = clips(choice="cycle", count=9)
    whole = chosen.read(range(9))
    assert torch.equal(whole, torch.cat([chosen.read([k]) for k in range(9)]))
    assert torch.equal(whole.flip(0), chosen.read(range(8, -1, -1)))


def test_identity_follows_the_pixels():
    base = clips(choice="random").identity
    assert clips(choice="random").identity == base
    changes = [
        {"frames": 3}, {"stride": 1}, {"choice": "first"}, {"clips_per_video": 2}, {"shortest": 8}, {"order": "sorted"},
        {"count": 2}, {"seed": 1},
    ]  # fmt: skip
    others = [clips(**{"choice": "random", **change}).identity for change in changes]
    windows = [clips(choice="windows", hop=hop).identity for hop in (1, 2)]
    content = Numbered()
    content.fingerprint = "1"
    everything = [base, *others, *windows, clips(content, choice="random").identity]
    assert len({str(identity) for identity in everything}) == len(everything)


def test_renaming_videos_changes_what_sorted_means():
    before, after = (
        clips(Numbered(lengths=(9, 9), names=names), choice="random", order="sorted", frames=2).identity
        for names in (["v1", "v2"], ["v9", "v10"])
    )
    assert before != after


def test_facts_for_the_reader():
    source = Numbered(
        rates=[25.0, 25.0, None, 30.0, 25.0], lossy=True, stored_sizes="320x240", path="/data/set"
    )
    info = clips(source, choice="first").info
    assert (info["source"], info["fps"], info["mixed_fps"], info["lossy"]) == ("/data/set", 25.0, True, True)
    assert (info["height"], info["width"], info["stored_sizes"]) == (2, 3, "320x240")
    plain = clips(choice="first").info
    assert (plain["source"], plain["fps"], plain["mixed_fps"], plain["lossy"]) == (
        "numbered",
        None,
        False,
        None,
    )


def test_labels_follow_the_clips():
    source = Numbered(classes=("a", "b"))
    chosen = clips(source, choice="cycle", count=11)
    videos = [chosen.locate(k)[0] for k in range(11)]
    assert chosen.labels is not None
    assert chosen.labels.tolist() == [video % 2 for video in videos]
    assert clips(choice="first").labels is None


@pytest.mark.parametrize("name", ["frames", "stride", "count", "hop", "clips_per_video", "shortest"])
def test_numbers_are_checked(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        clips(choice="windows", **{name: 0})


def test_choices_are_checked():
    with pytest.raises(ValueError, match=r"choice is 'last': choose first, center"):
        clips(choice="last")
    with pytest.raises(ValueError, match=r"order is 'random': choose sorted, shuffled"):
        clips(choice="first", order="random")
    with pytest.raises(ValueError, match=r"say how many clips"):
        clips(choice="cycle")


def test_labels_are_drawn_with_the_frequencies_of_the_videos():
    labels = draw_labels(Numbered(lengths=(1,) * 3, classes="ab"), 3000, torch.Generator().manual_seed(0))
    assert labels is not None
    assert abs(labels.float().mean() - 1 / 3) < 0.03
    assert draw_labels(Numbered(), 3, torch.Generator()) is None
