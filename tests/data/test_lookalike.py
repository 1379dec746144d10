import io

import numpy as np
from PIL import Image

from vgen.data.lookalike import Look, alike, look_at, moments, same


def scene(seed: int, frames: int = 8, size: int = 64) -> np.ndarray:
    """(T, H, W, 3): soft blobs that drift."""
    draws = np.random.default_rng(seed)
    small = draws.integers(0, 255, (6, 6, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(small).resize((2 * size, 2 * size), Image.Resampling.BICUBIC))
    return np.stack([large[2 * t : 2 * t + size, t : t + size] for t in range(frames)])


def as_jpeg(frames: np.ndarray, quality: int) -> np.ndarray:
    made = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "jpeg", quality=quality)
        made.append(np.asarray(Image.open(file)))
    return np.stack(made)


def look(frames: np.ndarray) -> Look:
    return look_at(frames[moments(len(frames))])


def test_copies_are_found_and_strangers_are_not() -> None:
    scenes = [scene(seed) for seed in range(12)]
    videos = [*scenes, as_jpeg(scenes[3], 40), scenes[5][:, :, ::-1], (scenes[7] * 0.97).astype(np.uint8)]
    pairs = alike([look(video) for video in videos])
    assert {(pair.one, pair.two, pair.mirrored) for pair in pairs} == {
        (3, 12, False), (5, 13, True), (7, 14, False),
    }  # fmt: skip
    assert [pair.difference for pair in pairs] == sorted(pair.difference for pair in pairs)
    assert pairs[0].difference < 0.01  # the mirrored one


def test_small_things_on_one_ground_are_not_copies_of_each_other() -> None:
    videos = []
    for n in range(30):
        video = np.zeros((8, 64, 64, 3), np.uint8)
        for t, frame in enumerate(video):
            frame[10 + n : 18 + n, 4 * t + n % 5 : 4 * t + n % 5 + 8] = 200
        videos.append(video)
    assert [(pair.one, pair.two) for pair in alike([look(video) for video in [*videos, videos[4]]])] == [
        (4, 30)
    ]


def test_other_sizes_and_grey_ones_are_copies_too() -> None:
    video = scene(1)
    small = np.stack([np.asarray(Image.fromarray(f).resize((32, 32), Image.Resampling.BOX)) for f in video])
    grey = np.stack([np.asarray(Image.fromarray(f).convert("L"))[..., None] for f in video])
    assert len(alike([look(video), look(small), look(grey), look(scene(2))])) == 3


def test_nothing_to_see_is_like_nothing() -> None:
    black = np.zeros((8, 64, 64, 3), np.uint8)
    assert look(black).flat
    assert alike([look(black), look(black + 1)]) == []
    assert alike([]) == []


def test_equal_hashes_are_groups() -> None:
    assert same(["a", "b", "a", "c", "b", "a"]) == [[0, 2, 5], [1, 4]]


def test_moments_lie_within_short_videos() -> None:
    assert moments(1).tolist() == [0, 0, 0, 0]
    assert moments(8).tolist() == [1, 3, 5, 7]
