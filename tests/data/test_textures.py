from itertools import pairwise

import numpy as np
import pytest

from vgen.data import textures
from vgen.data.textures import CLASSES, REGIONS, Textures


@pytest.fixture
def replaced(monkeypatch):
    """Puts another picture in the place of both photographs."""

    def put(picture: np.ndarray) -> None:
        monkeypatch.setattr(textures, "photographs", lambda: {"china": picture, "flower": picture})
        textures._region.cache_clear()

    yield put
    textures._region.cache_clear()


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_pixel_shows_what_the_camera_points_at(split, replaced):
    """Over a ramp, colours are coordinates."""
    rows, columns = np.mgrid[:427, :640]
    replaced(np.stack([columns * 0.39, rows * 0.39, 0 * rows], axis=2).astype(np.float32))
    source = Textures(size=32, videos=30, split=split)
    at = (np.arange(32) + 0.5) / 32 - 0.5
    seen = set()
    for i in range(30):
        frames = source.read(i, np.array([0, 9, 31])).astype(float)
        seen.add(source.factors(i)["motion"])
        for frame, (x, y, side, angle) in zip(frames, source.camera(i, np.array([0, 9, 31])), strict=True):
            right, down = side * at[None, :], side * at[:, None]
            there = (
                x + np.cos(angle) * right - np.sin(angle) * down,
                y + np.sin(angle) * right + np.cos(angle) * down,
            )
            for channel in (0, 1):
                assert np.abs(frame[..., channel] - (there[channel] - 0.5) * 0.39).max() < 1
    assert seen == set(CLASSES)


@pytest.mark.parametrize("split", ["train", "test"])
def test_windows_stay_in_their_region(split):
    source = Textures(videos=60, split=split)
    left, right = REGIONS[split]
    corner = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    for i in range(60):
        for x, y, side, angle in source.camera(i, np.arange(32)):
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            places = [x, y] + side * corner @ turn
            assert places[:, 0].min() >= left - 1e-9
            assert places[:, 0].max() <= right + 1e-9
            assert places[:, 1].min() >= -1e-9
            assert places[:, 1].max() <= 427 + 1e-9


def test_no_pixel_of_the_other_split_is_seen(replaced):
    photograph = textures.photographs()["china"]
    (left, right), other = REGIONS["train"], photograph.copy()
    other[:, right:] = 0
    replaced(photograph)
    before = [Textures(size=16, videos=20).read(i, np.arange(0, 32, 6)) for i in range(20)]
    replaced(other)
    after = [Textures(size=16, videos=20).read(i, np.arange(0, 32, 6)) for i in range(20)]
    assert np.array_equal(before, after)
    assert REGIONS["test"][0] >= right > left


def test_detail_that_no_pixel_can_show_is_averaged(replaced):
    rows, columns = np.mgrid[:427, :640]
    replaced(np.repeat(255 * ((rows + columns) % 2)[..., None], 3, axis=2).astype(np.uint8))
    source = Textures(size=32, videos=12)
    for i in range(12):
        assert np.ptp(source.read(i, np.arange(0, 32, 5)).astype(int)) < 80


def test_rates_are_constant():
    source = Textures(videos=30)
    for i in range(30):
        camera, factors = source.camera(i, np.arange(32)), source.factors(i)
        assert camera[0] == pytest.approx(np.array(factors["start"]))
        assert camera[-1] == pytest.approx(np.array(factors["end"]))
        rates = np.diff(np.column_stack([camera[:, :2], np.log(camera[:, 2]), camera[:, 3]]), axis=0)
        assert rates == pytest.approx(np.broadcast_to(rates[0], rates.shape), abs=1e-9)
        moving = (np.abs(rates[0]) > 1e-9).tolist()
        assert moving[2:] == [factors["motion"] == "zoom", factors["motion"] == "rotate"]
        assert any(moving[:2]) == (factors["motion"] == "pan")


def test_spectra_are_those_of_natural_images():
    """Power falls with frequency about as 1 / f^2 (Field, 1987)."""
    source = Textures(size=64, channels=1, videos=60)
    frames = np.concatenate([source.read(i, np.array([0])) for i in range(60)])[..., 0].astype(float)
    hann = np.hanning(64)
    power = (
        np.abs(np.fft.fft2((frames - frames.mean(axis=(1, 2), keepdims=True)) * hann * hann[:, None])) ** 2
    )
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(64, 1 / 64)] * 2))
    bands = [2, 4, 8, 16, 28]
    mean = [power.mean(axis=0)[(f >= low) & (f < high)].mean() for low, high in pairwise(bands)]
    centre = np.sqrt(np.array(bands[1:]) * bands[:-1])
    slope = np.polyfit(np.log(centre), np.log(mean), 1)[0]
    assert -3.5 < slope < -1.5


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"data.split is 'val': choose train or test"):
        Textures(split="val")  # type: ignore[arg-type]
