"""How the frames of a set are brought to one size, in one object."""

from dataclasses import dataclass
from typing import get_args

import numpy as np

from vgen.data.entry import Unreadable
from vgen.data.resize import Resample, Resize, check_resample, to_channels, to_frame, to_square


@dataclass(frozen=True)
class Fitting:
    """Frames of any size -> frames of one size; see `vgen.data.videos.Videos` for the arguments.

    Raises:
        ValueError: an argument out of range, or several that do not go together.
    """

    size: int | None
    channels: int
    resize: Resize
    resample: Resample
    canvas: tuple[int, int] | None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"data.size is {self.size}: it must be at least 1")
        if self.channels not in (1, 3):
            raise ValueError(f"data.channels is {self.channels}: choose 1 (grey) or 3 (RGB)")
        for name, value, choices in (("resize", self.resize, Resize), ("resample", self.resample, Resample)):
            if value not in get_args(choices):
                raise ValueError(f"data.{name} is {value!r}: choose {', '.join(get_args(choices))}")
        check_resample(self.resample, self.resize)
        if self.canvas is not None and (
            self.size is None or min(self.canvas) < self.size or self.resample != "bicubic"
        ):
            raise ValueError(
                f"data.canvas is {list(self.canvas)}: no side may be below data.size ({self.size}), and "
                f"data.resample must be bicubic (it is {self.resample})"
            )

    @property
    def frame(self) -> tuple[int, int] | None:
        """Height and width of the frames; None if they stay as they are stored."""
        return self.canvas or (None if self.size is None else (self.size, self.size))

    @property
    def crops(self) -> tuple[int, int] | None:
        """Places (rows, columns) at which size x size can be cut out of the canvas; None without one."""
        if self.canvas is None or self.size is None:
            return None
        return 1 + self.canvas[0] - self.size, 1 + self.canvas[1] - self.size

    def __call__(self, frames: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
        """(n, H, W, 3) uint8 -> (n, *frame, channels) uint8.

        Raises:
            Unreadable: frames that stay as they are stored are of another size.
        """
        if self.canvas is not None:
            return to_frame(frames, frame=self.canvas, channels=self.channels, resize=self.resize)
        if self.size is not None:
            return to_square(
                frames, size=self.size, channels=self.channels, resize=self.resize, resample=self.resample
            )
        height, width = frames.shape[1:3]
        if (height, width) != frame:
            raise Unreadable(f"frames of {width}x{height} pixels, and most videos have {frame[1]}x{frame[0]}")
        return to_channels(frames, self.channels)


def as_canvas(canvas: list[int] | None) -> tuple[int, int] | None:
    """ValueError unless `canvas` is [height, width]."""
    if canvas is None:
        return None
    if len(canvas) != 2 or not all(isinstance(side, int) for side in canvas):
        raise ValueError(f"data.canvas is {list(canvas)}: it must be [height, width]")
    return canvas[0], canvas[1]
