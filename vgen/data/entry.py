"""One stored video: where its frames lie, and what can be said of it without decoding them."""

import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

LEAST_STRIP = 4  # frames; cameras make frames of aspect 2:1 and 3:1, and a shorter strip is no video

Kind = Literal["video file", "frame folder", "strip image", "array video"]


class Unreadable(Exception):
    """This video cannot be used; the message says why."""


@dataclass(frozen=True)
class Part:
    """One video of an array file.

    Attributes:
        dataset: name of the array in an HDF5 file; "" in a .npy.
        axes: what the array's axes are: N videos, T frames, C channels, H, W.
        start, stop: the video's place along N, or its frames along T where there is no N.
    """

    dataset: str
    axes: str
    start: int
    stop: int


@dataclass(frozen=True)
class Entry:
    """One video on disk.

    Attributes:
        name: path relative to the top, with forward slashes; in an archive, the archive's path and that in it.
        kind: how its frames are stored.
        label: index of its class, or None.
        files: the files that hold it, in order of time: relative to the top, or members of `archive`.
        archive: the zip or tar that holds them, relative to the top; "" if none does.
        part: of an array.
    """

    name: str
    kind: Kind
    label: int | None
    files: tuple[str, ...]
    archive: str = ""
    part: Part | None = None


@dataclass(frozen=True)
class Probe:
    """What the headers declare: number of frames and frame rate, None where they do not say; the size (W, H).

    `lossy` says whether storing the pictures has changed them; None where the format can do either.
    """

    frames: int | None
    fps: float | None
    size: tuple[int, int]
    lossy: bool | None


class Block(NamedTuple):
    """Frames in order: `pixels` (n, H, W, 3) uint8, and when each is shown.

    `times` (n,) float64 are seconds since some moment of the video; NaN where the file does not say.
    """

    pixels: np.ndarray
    times: np.ndarray


def untimed(pixels: np.ndarray) -> Block:
    """Frames of a format that knows no time."""
    return Block(pixels, np.full(len(pixels), np.nan))


def natural(name: str) -> tuple:
    """Sort key under which frame10 comes after frame9."""
    pieces = re.split(r"([0-9]+)", name)
    return tuple(int(piece) if i % 2 else piece.casefold() for i, piece in enumerate(pieces)), name


def strip_frames(width: int, height: int) -> int | None:
    """Frames in a strip of square frames of this size; None if it is no strip."""
    short, long = sorted((width, height))
    return long // short if short and long % short == 0 and long >= LEAST_STRIP * short else None


def require_file(path: Path) -> None:
    """OSError unless `path` can be opened as a file: opening a pipe or a device might never return."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(0, "not a regular file")


def reason(error: BaseException) -> str:
    """What went wrong, in one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
