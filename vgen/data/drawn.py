"""What sets that are drawn on the fly share: a source without files, and paint with soft edges."""

import hashlib

import numpy as np
import torch

from vgen import rng
from vgen.data.source import Skipped


class Drawn:
    """A `VideoSource` without files, of which video i follows from (seed, i) alone.

    A subclass draws (`read`) and tells the truth about what it has drawn (`label`, `factors`). Its layout is in frame
    sides, so that the same video at another size is the same scene.

    Args:
        name: of the set, and of its random streams.
        revision: part of the fingerprint; raise it when the drawing changes.
        classes: names of the classes.
        size: frame height and width in pixels, at least 8.
        channels: 3, or 1 for the luma of the same colours.
        videos: how many videos the set has.
        frames: frames per video.
        seed: another seed is another set.
        settings: what else the pixels follow from.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        revision: int,
        classes: list[str],
        size: int,
        channels: int,
        videos: int,
        frames: int,
        seed: int,
        settings: tuple[str | int | float, ...] = (),
    ) -> None:
        for key, value, least in (("size", size, 8), ("videos", videos, 1), ("frames", frames, 1)):
            if value < least:
                raise ValueError(f"data.{key} is {value}: it must be at least {least}")
        if channels not in (1, 3):
            raise ValueError(f"data.channels is {channels}: choose 1 (grey) or 3 (RGB)")
        self.name = name
        self.classes = list(classes)
        self.size = size
        self.channels = channels
        self.videos = videos
        self.frames = frames
        self.seed = seed
        self.fps: float | None = None
        self.skipped: list[Skipped] = []
        facts = "/".join(map(str, (name, revision, size, channels, videos, frames, seed, *settings)))
        self.fingerprint = hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()

    def prepare(self) -> None:
        """Nothing to do."""

    def setup(self) -> None:
        """Nothing to do."""

    def __len__(self) -> int:
        return self.videos

    def length(self, i: int) -> int:
        return self.frames

    def stream(self, i: int) -> torch.Generator:
        """The random numbers that video `i` is made of, from their start; IndexError if there is no such video."""
        if not 0 <= i < self.videos:
            raise IndexError(f"no video {i} in a set of {self.videos}")
        return rng.generator(self.seed, self.name, i)

    def times(self, indices: np.ndarray) -> np.ndarray:
        """`indices` (T,) as an array; IndexError if a video has no such frames."""
        indices = np.asarray(indices)
        if indices.size and (indices.min() < 0 or indices.max() > self.frames - 1):
            raise IndexError(f"frames {indices.min()}..{indices.max()} of a video of {self.frames}")
        return indices


def uniform(stream: torch.Generator, count: int) -> list[float]:
    """The next `count` numbers of a stream, uniform in [0, 1)."""
    return torch.rand(count, generator=stream, dtype=torch.float64).tolist()


def window(
    centre: np.ndarray, radius: float, size: int
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """The pixels around a shape of half the side `radius` at `centre` (T, 2) as (x, y), all in pixels.

    Returns the places of these pixels in frames (T, size, size, C), to index them with, and how far their centres lie
    from the shape's, (T, 2, side).
    """
    side = min(int(np.ceil(2 * radius)) + 2, size)
    corner = np.clip(np.floor(centre - radius).astype(int) - 1, 0, size - side)  # (T, 2)
    pixel = corner[:, :, None] + np.arange(side)  # (T, 2, side)
    where = np.arange(len(centre))[:, None, None], pixel[:, 1, :, None], pixel[:, 0, None, :]
    return where, pixel + 0.5 - centre[:, :, None]


def paint_disc(
    frames: np.ndarray, centre: np.ndarray, radius: float, colour: tuple[float, float, float]
) -> None:
    """Lay a disc over frames (T, S, S, 3) of floats, in place; `centre` (T, 2) and `radius` are in pixels.

    Its edge falls off over one pixel, around the radius at which its area is that of the disc, however small.
    """
    where, offset = window(centre, radius, frames.shape[1])
    distance = np.hypot(offset[:, 1, :, None], offset[:, 0, None, :])
    edge = np.sqrt(radius**2 - 1 / 12) if radius**2 > 1 / 3 else np.cbrt(3 * radius**2) - 0.5
    cover(frames, where, np.clip(edge + 0.5 - distance, 0, 1), colour)


def cover(
    frames: np.ndarray,
    where: tuple[np.ndarray, ...] | slice,
    coverage: np.ndarray,
    colour: tuple[float, float, float],
) -> None:
    """Mix `colour` into the pixels `where` of frames (..., 3), by `coverage` in 0..1 of each."""
    frames[where] += coverage[..., None] * (np.array(colour, dtype=float) - frames[where])


def to_bytes(frames: np.ndarray, channels: int) -> np.ndarray:
    """(T, S, S, 3) of floats in 0..255 -> (T, S, S, channels) uint8; one channel is the luma of BT.601."""
    if channels == 1:
        frames = frames @ np.array([[0.299], [0.587], [0.114]])
    return np.rint(frames).astype(np.uint8, order="C")
