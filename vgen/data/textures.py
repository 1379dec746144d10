"""A camera that moves over photographs: the statistics of natural images, and a motion that is known exactly.

Moving shapes are flat and their edges all there is to see; natural images have detail at every scale (a power spectrum
near 1 / f^2), and all of it moves. Here a square window pans, zooms or turns over one of the two photographs that ship
with scikit-learn.
"""

import itertools
import math
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from vgen.data.drawn import Drawn, to_bytes, uniform
from vgen.data.scikit import digest, photographs

Split = Literal["train", "test"]

CLASSES = ["pan", "zoom", "rotate"]
PHOTOGRAPHS = ["china", "flower"]
REGIONS = {"train": (0, 400), "test": (400, 640)}  # columns of the photographs, 427 rows each
SIDES = 80.0, 150.0  # of the window, in pixels of the photograph
ZOOMS = 1.5, 2.0  # largest over smallest side
TURNS = 60.0, 150.0  # degrees
PANS = 0.5, 1.5  # way of the window, in its sides
REVISION = 1  # part of the fingerprint: raise it when the drawing changes


class Textures(Drawn):
    """Procedural videos of a camera over a photograph; video i follows from (seed, i) alone.

    Needs scikit-learn (`pip install 'vgen[scikit-learn]'`). The layout does not depend on `size`. Frames are
    antialiased at every size; the photographs have 640x427 pixels, so above 96 pixels or so frames are soft. Labels are
    the kind of motion. There are two photographs only: a set for motion and for texture, not for variety of content.

    Args:
        size: frame height and width in pixels, at least 8.
        channels: 3, or 1 for the luma of the same colours.
        videos: how many videos the set has.
        frames: frames per video; the way is travelled once from frame 0 to the last, at a constant rate.
        seed: another seed is another set.
        split: "train" sees the left 400 columns of the photographs, "test" the right 240.

    Raises:
        ValueError: an argument out of range, or scikit-learn is missing.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        videos: int = 2000,
        frames: int = 32,
        seed: int = 0,
        split: Split = "train",
    ):
        if split not in get_args(Split):
            raise ValueError(f"data.split is {split!r}: choose {' or '.join(get_args(Split))}")
        self.split: Split = split
        super().__init__(
            name="textures",
            revision=REVISION,
            classes=CLASSES,
            size=size,
            channels=channels,
            videos=videos,
            frames=frames,
            seed=seed,
            settings=(split, digest(*(photographs()[name] for name in PHOTOGRAPHS))),
        )

    def label(self, i: int) -> int:
        return CLASSES.index(self.factors(i)["motion"])

    def factors(self, i: int) -> dict:
        """Ground truth of video `i`.

        Content: `photograph`, and the first window. Motion: `motion` (a class name). `start` and `end` are the first
        and last window as (x, y, side, angle): its centre in the photograph and its side, in pixels of the photograph,
        and how far it is turned clockwise, in radians. `camera` gives those between.
        """
        stream = self.stream(i)
        photograph, motion, side, amount, sign = uniform(stream, 5)
        kind = CLASSES[int(3 * motion)]
        sign = 1 if sign < 0.5 else -1
        first = last = SIDES[0] + (SIDES[1] - SIDES[0]) * side
        angle = 0.0
        if kind == "zoom":
            first, last = SIDES[0], SIDES[0] * (ZOOMS[0] + (ZOOMS[1] - ZOOMS[0]) * amount)
            first, last = (first, last) if sign > 0 else (last, first)
        elif kind == "rotate":
            angle = sign * math.radians(TURNS[0] + (TURNS[1] - TURNS[0]) * amount)
        reach = max(first, last) / (math.sqrt(2) if kind == "rotate" else 2)  # from its centre
        left, right = REGIONS[self.split]
        height = photographs()[PHOTOGRAPHS[0]].shape[0]
        low, room = np.array([left + reach, reach]), np.array([right - left, height]) - 2 * reach
        begin = end = low + room * uniform(stream, 2)
        while kind == "pan" and not PANS[0] <= np.hypot(*(end - begin)) / first <= PANS[1]:
            begin, end = low + room * uniform(stream, 2), low + room * uniform(stream, 2)
        return {
            "photograph": PHOTOGRAPHS[int(2 * photograph)],
            "motion": kind,
            "start": (*begin.tolist(), first, 0.0),
            "end": (*end.tolist(), last, angle),
        }

    def camera(self, i: int, indices: np.ndarray) -> np.ndarray:
        """The window of video `i` at frames `indices` (T,): (T, 4) as in `factors`; the side changes geometrically."""
        factors = self.factors(i)
        start, end = (np.array(factors[name]) for name in ("start", "end"))
        share = self.times(indices)[:, None] / max(self.frames - 1, 1)
        camera = start + share * (end - start)
        camera[:, 2] = start[2] * (end[2] / start[2]) ** share[:, 0]
        return camera

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        factors, camera = self.factors(i), self.camera(i, indices)
        if not len(camera):
            return np.zeros((0, self.size, self.size, self.channels), dtype=np.uint8)
        # As many samples as the widest window of the video needs: a zoom would flicker where their number changes.
        widest = max(factors["start"][2], factors["end"][2])
        samples = max(2, math.ceil(widest / self.size))  # one or more to a pixel of the photograph, each way
        left, right = REGIONS[self.split]
        picture = _region(factors["photograph"], left, right)
        camera[:, 0] -= left
        pictures, seen = picture.expand(len(camera), -1, -1, -1), torch.zeros(())
        corners, pixel = _corners(camera, picture, self.size)
        for place in itertools.product((np.arange(samples) + 0.5) / samples, repeat=2):
            points = corners + (pixel @ torch.tensor(place, dtype=torch.float32))[:, None, None]
            seen = seen + grid_sample(
                pictures, points, mode="bilinear", padding_mode="border", align_corners=False
            )
        return to_bytes((seen / samples**2).permute(0, 2, 3, 1).numpy(), self.channels)


def _corners(camera: np.ndarray, picture: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Where the pixels of windows (T, 4) lie in a picture (1, 3, H, W) whose sides are -1 to 1, as (x, y).

    The left upper corner of each, (T, size, size, 2), and what leads from there one pixel to the right and one down, as
    the columns of (T, 2, 2).
    """
    scale = 2 / np.array([picture.shape[3], picture.shape[2]])
    cos, sin = (camera[:, 2] / size * part(camera[:, 3]) for part in (np.cos, np.sin))
    pixel = scale[:, None] * np.moveaxis(np.array([[cos, -sin], [sin, cos]]), 2, 0)  # (T, 2, 2)
    first = scale * camera[:, :2] - 1 - size / 2 * pixel.sum(axis=2)
    steps = np.arange(size)[:, None]
    right, down = (steps * pixel[:, None, :, axis] for axis in (0, 1))  # (T, size, 2)
    corners = first[:, None, None] + right[:, None] + down[:, :, None]
    return torch.from_numpy(corners).float(), torch.from_numpy(pixel).float()


@lru_cache(maxsize=4)
def _region(photograph: str, left: int, right: int) -> Tensor:
    """Columns [left, right) of a photograph as (1, 3, H, W) floats in 0..255, as grid_sample reads them fastest."""
    part = torch.from_numpy(photographs()[photograph][:, left:right]).permute(2, 0, 1)[None].float()
    return part.contiguous(memory_format=torch.channels_last)
