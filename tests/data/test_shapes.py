import numpy as np
import pytest

from vgen.data.shapes import CLASSES, Shapes
from vgen.data.source import VideoSource


def centroid(frames: np.ndarray) -> np.ndarray:
    """(T, 2) centre of brightness as (x, y) in pixels."""
    weight = frames.astype(float).sum(axis=-1)
    at = np.arange(weight.shape[1]) + 0.5
    total = weight.sum(axis=(1, 2))
    return np.stack(
        [(weight.sum(axis=1) * at).sum(1) / total, (weight.sum(axis=2) * at).sum(1) / total], axis=1
    )


@pytest.mark.parametrize("size", [64, 97])
def test_the_shape_is_where_its_factors_say(size):
    shapes = Shapes(size=size, videos=40)
    indices = np.arange(32)
    for i in range(40):
        frames = shapes.read(i, indices)
        assert frames.shape == (32, size, size, 3)
        assert np.abs(centroid(frames) - shapes.centre(i, indices)).max() < 0.1


def test_any_frame_can_be_read_alone():
    shapes = Shapes(size=48, frames=20)
    whole = shapes.read(5, np.arange(20))
    assert np.array_equal(shapes.read(5, np.array([17, 3, 3])), whole[[17, 3, 3]])


def test_the_scene_does_not_depend_on_the_size():
    small, large = Shapes(size=32), Shapes(size=128)
    for i in range(10):
        blocks = large.read(i, np.arange(32)).reshape(32, 32, 4, 32, 4, 3).mean(axis=(2, 4))
        assert np.abs(blocks - small.read(i, np.arange(32))).mean() < 0.5


def test_colour_and_area_are_the_factors():
    shapes = Shapes(size=256, videos=30)
    for i in range(30):
        factors = shapes.factors(i)
        frame = shapes.read(i, np.array([10]))[0]
        assert np.array_equal(frame.max(axis=(0, 1)), factors["colour"])
        half = factors["radius"] * 256
        area = 4 * half**2 if factors["shape"] == "square" else np.pi * half**2
        covered = (frame / np.maximum(factors["colour"], 1)).max(axis=2).sum()
        assert covered == pytest.approx(area, rel=0.02)


def test_motion_is_the_label_and_stays_inside():
    shapes = Shapes(videos=300)
    labels = [shapes.label(i) for i in range(300)]
    assert 100 < sum(labels) < 200
    for i, label in enumerate(labels):
        path = shapes.centre(i, np.linspace(0, 31, 200))
        half = shapes.factors(i)["radius"] * 64
        assert path.min() >= half
        assert path.max() <= 64 - half
        travelled = path[-1] - path[0]
        still, moved = (0, 1) if CLASSES[label] == "upwards" else (1, 0)
        assert travelled[moved] < -30
        assert travelled[still] == pytest.approx(0)


def test_motion_is_smooth():
    step = np.diff(Shapes(size=64).centre(0, np.linspace(0, 31, 311)), axis=0)
    assert np.abs(np.diff(step, axis=0)).max() < 0.02


def test_sets_follow_from_the_seed():
    one, same, other = Shapes(seed=1), Shapes(seed=1), Shapes(seed=2)
    assert one.fingerprint == same.fingerprint != other.fingerprint
    indices = np.arange(4)
    assert np.array_equal(one.read(3, indices), same.read(3, indices))
    assert not np.array_equal(one.read(3, indices), other.read(3, indices))
    assert not np.array_equal(one.read(3, indices), one.read(4, indices))


def test_one_channel_is_the_luma():
    grey, colour = Shapes(channels=1), Shapes(channels=3)
    luma = colour.read(2, np.arange(8)) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey.read(2, np.arange(8))[..., 0] - luma).max() <= 1.5


def test_keeps_the_contract_and_its_bounds():
    shapes = Shapes(videos=2, frames=5)
    assert isinstance(shapes, VideoSource)
    assert (len(shapes), shapes.length(1), shapes.skipped) == (2, 5, [])
    with pytest.raises(IndexError):
        shapes.read(2, np.array([0]))
    with pytest.raises(IndexError):
        shapes.read(0, np.array([5]))
    for wrong in ({"size": 4}, {"channels": 2}, {"videos": 0}, {"frames": 0}):
        with pytest.raises(ValueError, match=f"data.{next(iter(wrong))}"):
            Shapes(**wrong)
