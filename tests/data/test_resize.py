import numpy as np
import pytest
from movies import moving_bar
from PIL import Image

from vgen.data.resize import to_square


@pytest.mark.parametrize(("height", "width"), [(90, 120), (120, 90), (20, 33), (64, 64)])
def test_agrees_with_pillow(height, width):
    frames = moving_bar(2, height, width)
    squashed = to_square(frames, size=32, channels=3, resize="squash")
    for frame, mine in zip(frames, squashed, strict=True):
        pillow = np.asarray(Image.fromarray(frame).resize((32, 32), Image.Resampling.BICUBIC))
        assert np.abs(mine.astype(int) - pillow).max() <= 1


def test_crop_is_the_centre_of_the_resized_frame():
    frames = moving_bar(1, 64, 128)
    cropped = to_square(frames, size=32, channels=3, resize="crop")
    pillow = np.asarray(Image.fromarray(frames[0]).resize((64, 32), Image.Resampling.BICUBIC))[:, 16:48]
    assert cropped.shape == (1, 32, 32, 3)
    assert np.abs(cropped[0].astype(int) - pillow).max() <= 1


def test_the_right_size_is_left_alone():
    frames = moving_bar(3)
    for resize in ("crop", "squash"):
        assert np.array_equal(to_square(frames, size=32, channels=3, resize=resize), frames)


def test_one_channel_is_the_luma():
    frames = moving_bar(2)
    grey = to_square(frames, size=32, channels=1, resize="crop")
    assert grey.shape == (2, 32, 32, 1)
    pillow = np.asarray(Image.fromarray(frames[1]).convert("L"))
    assert np.abs(grey[1, ..., 0].astype(int) - pillow).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 7), (481, 37)])
def test_any_size_becomes_square(size):
    frames = np.full((1, *size, 3), 77, np.uint8)
    for resize in ("crop", "squash"):
        square = to_square(frames, size=16, channels=3, resize=resize)
        assert square.shape == (1, 16, 16, 3)
        assert (square == 77).all()
