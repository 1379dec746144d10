from pathlib import Path

import numpy as np
import pytest
from video_kinds import EXACT, PIXELS, write_exact

from vgen.data.one_video import read_one_video
from vgen.media import write_mp4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_exact(tmp_path)
    write_mp4(tmp_path / "video.mp4", np.repeat(PIXELS[:, :1, :1], 16, 1).repeat(16, 2), fps=10)
    return tmp_path


@pytest.mark.parametrize("name", EXACT)
def test_what_loses_nothing_is_read_as_it_was(folder: Path, name: str) -> None:
    np.testing.assert_array_equal(read_one_video(str(folder / name), size=8), PIXELS)


def test_a_video_file_at_its_size_and_rate(folder: Path) -> None:
    file = str(folder / "video.mp4")
    every = read_one_video(file, size=4, channels=1)
    assert every.shape == (6, 4, 4, 1)
    np.testing.assert_array_equal(read_one_video(file, size=4, channels=1, fps=5), every[::2])
    assert len(read_one_video(str(folder / "strip.png"), size=8, fps=5, stored_fps=10)) == 3


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("strip.png", {"fps": 5.0}, "stored_fps=..."),
        ("nothing", {}, "there is no"),
        ("two", {}, "holds 2 videos: name one"),
        ("text.txt", {}, "is no video"),
        ("broken.mp4", {}, "broken.mp4"),
        ("broken.png", {}, "broken.png"),
    ],
)
def test_what_cannot_be_read_is_said(folder: Path, name: str, keys: dict, said: str) -> None:
    (folder / "text.txt").write_text("no video")
    for broken in ("broken.mp4", "broken.png"):
        (folder / broken).write_bytes(b"not what it says")
    (folder / "two").mkdir()
    for copy in ("one.mp4", "other.mp4"):
        (folder / "two" / copy).write_bytes((folder / "video.mp4").read_bytes())
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        read_one_video(str(folder / name), size=8, **keys)
