"""What every set that is drawn on the fly keeps to, found by its option in conf/data."""

import pickle

import hydra
import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf

from vgen.config import CONF_DIR, instantiate, plain
from vgen.data.drawn import Drawn, paint_disc
from vgen.data.source import VideoSource


def option(file: str) -> DictConfig:
    node = OmegaConf.load(CONF_DIR / "data" / f"{file}.yaml")
    assert isinstance(node, DictConfig)
    return OmegaConf.create({"clip": {"size": 32, "channels": 3}, "data": node}).data


SETS = [
    file.stem
    for file in sorted((CONF_DIR / "data").glob("*.yaml"))
    if issubclass(hydra.utils.get_class(option(file.stem)._target_), Drawn)
]


def drawn(name: str, **arguments) -> VideoSource:
    node = option(name)
    node.update({"videos": 12, **arguments})
    return instantiate(node)


def test_these_sets_are_drawn():
    assert {"shapes", "balls", "pendulum", "digits", "textures"} <= set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_any_frame_can_be_read_alone(name):
    source = drawn(name)
    whole = source.read(5, np.arange(20))
    assert whole.shape == (20, 32, 32, 3)
    assert whole.dtype == np.uint8
    assert whole.flags.c_contiguous
    assert np.array_equal(source.read(5, np.array([17, 3, 3])), whole[[17, 3, 3]])
    assert source.read(5, np.array([], dtype=int)).shape == (0, 32, 32, 3)


@pytest.mark.parametrize("name", SETS)
def test_the_scene_does_not_depend_on_the_size(name):
    small, large = drawn(name), drawn(name, size=128)
    for i in range(6):
        blocks = large.read(i, np.arange(20)).reshape(20, 32, 4, 32, 4, 3).mean(axis=(2, 4))
        assert np.abs(blocks - small.read(i, np.arange(20))).mean() < 1


@pytest.mark.parametrize("name", SETS)
def test_videos_move_and_differ(name):
    source = drawn(name)
    firsts = {source.read(i, np.array([0])).tobytes() for i in range(12)}
    assert len(firsts) == 12
    for i in range(12):
        first, later = source.read(i, np.array([0, 12]))
        assert (first != later).mean() > 0.01


@pytest.mark.parametrize("name", SETS)
def test_sets_follow_from_the_seed(name):
    one, same, other = drawn(name, seed=1), drawn(name, seed=1, videos=20), drawn(name, seed=2)
    indices = np.arange(3)
    assert np.array_equal(one.read(3, indices), same.read(3, indices))
    assert not np.array_equal(one.read(3, indices), other.read(3, indices))
    assert len({source.fingerprint for source in (one, same, other, drawn(name, channels=1))}) == 4
    assert drawn(name, seed=1).fingerprint == one.fingerprint
    copied = pickle.loads(pickle.dumps(one))  # as a spawned loader process gets it
    assert np.array_equal(copied.read(3, indices), one.read(3, indices))


@pytest.mark.parametrize("name", SETS)
def test_one_channel_is_the_luma(name):
    luma = drawn(name).read(2, np.arange(4)) @ np.array([0.299, 0.587, 0.114])
    grey = drawn(name, channels=1).read(2, np.arange(4))
    assert grey.shape == (4, 32, 32, 1)
    assert np.abs(grey[..., 0] - luma).max() <= 1.5


@pytest.mark.parametrize("name", SETS)
def test_every_class_occurs_and_is_the_label(name):
    source = drawn(name, videos=60)
    labels = [source.label(i) for i in range(60)]
    assert set(labels) == set(range(len(source.classes)))


@pytest.mark.parametrize("name", SETS)
def test_keeps_the_contract_and_its_bounds(name):
    source = drawn(name, videos=2, frames=5)
    assert isinstance(source, VideoSource)
    assert (len(source), source.length(1), source.skipped, source.name) == (2, 5, [], name)
    for i, frame in ((2, 0), (-1, 0), (0, 5), (0, -1)):
        with pytest.raises(IndexError):
            source.read(i, np.array([frame]))
    kind = hydra.utils.get_class(option(name)._target_)
    for wrong in ({"size": 4}, {"channels": 2}, {"videos": 0}, {"frames": 0}):
        with pytest.raises(ValueError, match=f"data.{next(iter(wrong))}"):
            kind(**wrong)


@pytest.mark.parametrize("name", SETS)
def test_the_file_gives_the_defaults_of_the_class(name):
    node = plain(option(name))
    kind = hydra.utils.get_class(node.pop("_target_"))
    assert kind(**node).fingerprint == kind(size=32).fingerprint


@pytest.mark.parametrize("radius", [0.25, 0.4, 0.577, 0.6, 1.3, 4.0])
def test_a_disc_has_its_area_at_any_size(radius):
    centres = 8 + np.stack(np.meshgrid(*[np.arange(20) / 20] * 2), axis=2).reshape(-1, 2)
    frames = np.zeros((400, 17, 17, 3))
    paint_disc(frames, centres, radius, (1.0, 0.5, 0.0))
    assert frames.sum(axis=(1, 2)).mean(axis=0) == pytest.approx(
        np.pi * radius**2 * np.array([1, 0.5, 0]), rel=0.02
    )
