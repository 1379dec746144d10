"""What the loader and the evaluation ask of a set of videos."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Skipped:
    """A video that is not used, and why."""

    path: str
    reason: str


@runtime_checkable
class VideoSource(Protocol):
    """An ordered set of videos of one frame size, read frame by frame.

    Life of a source: construct (cheap), `prepare` (once per machine), `setup` (every process), read.
    `name` and `classes` answer from the start; everything else after `setup`.

    A source of stored videos may also say `path` where they lie, `names` (what each is called), `rates` (frames per
    second of each, or None), `stored_sizes` (before resizing, "320x240") and `lossy` (whether storing them has
    changed the pictures; None if no one can tell).
    One whose frames are larger than a clip's says in `crops` at how many places (rows, columns) a clip can be cut out,
    and `read_at(i, indices, top, left)` cuts there; `read` gives the centre.
    """

    @property
    def name(self) -> str: ...

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the labels; empty for unlabelled videos."""
        ...

    @property
    def fps(self) -> float | None:
        """Frames per second where the videos say so: the median over them."""
        ...

    @property
    def skipped(self) -> list[Skipped]: ...

    @property
    def fingerprint(self) -> str:
        """Hash of the pixels as `read` returns them, their order and their labels."""
        ...

    def prepare(self) -> None:
        """The heavy work. Idempotent; safe when another process does the same."""
        ...

    def setup(self) -> None:
        """The cheap work of every process, after `prepare`."""
        ...

    def __len__(self) -> int: ...

    def length(self, i: int) -> int:
        """Frames of video `i`."""
        ...

    def label(self, i: int) -> int | None: ...

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        """Frames `indices` (T,) of video `i`: (T, H, W, C) uint8, a copy that the caller owns."""
        ...
