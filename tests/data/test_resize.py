import numpy as np
import pytest
from movies import moving_bar
from PIL import Image

from vgen.data.resize import to_channels, to_frame, to_square

BILINEAR = ("videogpt", "cdfvd", "digan")


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


def ramp(height: int, width: int) -> np.ndarray:
    """Levels that say where they come from: rows in the first channel, columns in the second."""
    frames = np.zeros((1, height, width, 3), np.uint8)
    frames[..., 0], frames[..., 1] = np.arange(height)[:, None] * 2, np.arange(width) * 2
    return frames


def test_videogpt_rounds_the_long_side_up_and_cuts_levels_off():
    # 30x50 -> 16 x ceil(26.67) = 27: columns 5..20 of 27, each at (i + 0.5) 50/27 - 0.5
    small = to_square(ramp(30, 50), size=16, channels=3, resize="crop", resample="videogpt")
    columns = (np.arange(16) + 5 + 0.5) * 50 / 27 - 0.5
    rows = (np.arange(16) + 0.5) * 30 / 16 - 0.5
    assert (np.abs(small[0, 4, :, 1] - (2 * columns - 0.5)) <= 0.51).all()
    assert np.array_equal(small[0, 4, :, 1], np.floor(2 * columns + 1e-4))
    assert np.array_equal(small[0, :, 4, 0], np.floor(2 * rows + 1e-4))


def test_digan_cuts_the_centre_out_first():
    # the middle 30 of 50 columns, then 30 -> 16
    small = to_square(ramp(30, 50), size=16, channels=3, resize="crop", resample="digan")
    columns = (np.arange(16) + 0.5) * 30 / 16 - 0.5 + 10
    assert np.array_equal(small[0, 4, :, 1], np.floor(2 * columns + 1e-4))


def test_a_square_can_be_rounded_up_too():
    """100 (224 / 100) is above 224 in floating point: the loaders then scale to 225 and cut the last row off."""
    tall = to_square(ramp(100, 100), size=224, channels=3, resize="crop", resample="videogpt")
    rows = np.clip((np.arange(224) + 0.5) * 100 / 225 - 0.5, 0, None)
    columns = np.clip((np.arange(224) + 0.5) * 100 / 224 - 0.5, 0, None).clip(max=99)
    assert np.array_equal(tall[0, :, 0, 0], np.floor(2 * rows + 1e-4))
    assert np.array_equal(tall[0, 0, :, 1], np.floor(2 * columns + 1e-4))


def test_only_cdfvd_smooths_before_it_shrinks():
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::4] = 255
    contrast = {
        how: np.ptp(
            to_square(stripes, size=16, channels=3, resize="crop", resample=how).astype(int)[0, 0, 2:-2]
        )
        for how in BILINEAR
    }
    assert contrast == {"videogpt": 0, "cdfvd": 0, "digan": 0}  # none lands on a stripe,
    means = {
        how: to_square(stripes, size=16, channels=3, resize="crop", resample=how)[:, :, 2:-2].mean()
        for how in BILINEAR
    }
    assert means["cdfvd"] == pytest.approx(255 / 4, abs=1)  # but only one knows how many there are
    assert means["videogpt"] == means["digan"] == 0


@pytest.mark.parametrize("resample", BILINEAR)
def test_loaders_leave_the_right_size_alone_and_only_crop(resample):
    frames = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    assert np.array_equal(to_square(frames, size=16, channels=3, resize="crop", resample=resample), frames)
    assert to_square(ramp(9, 31), size=16, channels=1, resize="crop", resample=resample).shape == (
        1,
        16,
        16,
        1,
    )
    with pytest.raises(ValueError, match=f"resample={resample} crops"):
        to_square(frames, size=8, channels=3, resize="squash", resample=resample)


def test_channels_without_resizing():
    frames = moving_bar(2, 10, 14)
    assert to_channels(frames, 3) is frames
    assert to_channels(frames, 1).shape == (2, 10, 14, 1)


@pytest.mark.parametrize(("height", "width"), [(90, 120), (120, 90), (17, 64), (64, 17), (50, 50)])
def test_letterbox_keeps_all_of_the_frame_and_its_aspect(height, width):
    frames = moving_bar(1, height, width)
    boxed = to_square(frames, size=32, channels=3, resize="letterbox")[0]
    inner = max(1, round(height * 32 / max(height, width))), max(1, round(width * 32 / max(height, width)))
    top, left = (32 - inner[0]) // 2, (32 - inner[1]) // 2
    pillow = np.asarray(Image.fromarray(frames[0]).resize(inner[::-1], Image.Resampling.BICUBIC))
    seen = boxed[top : top + inner[0], left : left + inner[1]]
    assert np.abs(seen.astype(int) - pillow).max() <= 1
    assert int(boxed.sum()) == int(seen.sum())  # black around it


@pytest.mark.parametrize("resize", ["crop", "squash", "letterbox"])
@pytest.mark.parametrize("frame", [(24, 40), (40, 24), (32, 32), (1, 50)])
def test_any_height_and_width(resize, frame):
    frames = moving_bar(2, 30, 44)
    made = to_frame(frames, frame=frame, channels=3, resize=resize)
    assert made.shape == (2, *frame, 3)
    scale = max(frame[0] / 30, frame[1] / 44)
    if resize == "crop":  # covers the frame and no more
        scaled = max(frame[0], round(30 * scale)), max(frame[1], round(44 * scale))
        pillow = np.asarray(Image.fromarray(frames[0]).resize(scaled[::-1], Image.Resampling.BICUBIC))
        top, left = (scaled[0] - frame[0]) // 2, (scaled[1] - frame[1]) // 2
        wanted = pillow[top : top + frame[0], left : left + frame[1]]
        assert np.abs(made[0].astype(int) - wanted).max() <= 1
