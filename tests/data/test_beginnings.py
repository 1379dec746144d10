from pathlib import Path

import numpy as np
import pytest
from video_kinds import EXACT, PIXELS, write_exact

from vgen.data.beginnings import Beginnings
from vgen.media import write_png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_exact(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", EXACT)
def test_of_any_kind_of_video_the_first_frames_are_taken(folder: Path, name: str) -> None:
    clips = Beginnings(str(folder / name), frames=2, stride=3, size=8)
    assert len(clips) == 1
    np.testing.assert_array_equal(clips.read([0])[0].numpy(), PIXELS[::3])


def test_a_picture_is_a_picture_whatever_its_shape(folder: Path) -> None:
    """Where one frame is wanted."""
    assert Beginnings(str(folder / "strip.png"), frames=1, size=8).read([0]).shape == (1, 1, 8, 8, 3)
    assert len(Beginnings(str(folder / "frames"), frames=1, size=8)) == 6


def test_what_is_too_short_or_of_several_sizes_is_told(folder: Path) -> None:
    with pytest.raises(ValueError, match="frames: 6 frames, but the generator is given 3, 3 apart"):
        Beginnings(str(folder / "frames"), frames=3, stride=3, size=8)
    write_png(folder / "frames" / "1.png", PIXELS[:1, :4, :4])
    with pytest.raises(ValueError, match="differ in size"):
        Beginnings(str(folder / "frames"), frames=2, size=8)
