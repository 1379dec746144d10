"""A set of videos as a map from draws to training clips."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vgen import rng
from vgen.clip import Sampler
from vgen.data.source import VideoSource


class Draw(NamedTuple):
    """One row of a batch: `position` in the endless stream of real clips, and the `video` it is cut from."""

    position: int
    video: int


class Clips(Dataset):
    """Clips cut from videos; which frames they show follows from (seed, position) alone.

    An item is a dict of "pixels" (T, H, W, C) uint8, "times" (T,) float32 in frames since the clip's first
    and, if the videos have classes, "label" () int64. If the source has `crops` (rows, columns), its frames are larger
    than a clip's, and where the clip is cut out is drawn too.

    Args:
        source: the videos, after `setup`.
        sampler: chooses the frames.
        seed: of the streams that sampler and flip draw from.
        flip: mirror each clip left to right with probability 1/2. Wrong where the sides differ in meaning
            (text, classes such as "leftwards").
    """

    def __init__(self, *, source: VideoSource, sampler: Sampler, seed: int, flip: bool = False):
        self.source = source
        self.sampler = sampler
        self.seed = seed
        self.flip = flip

    def __getitem__(self, draw: Draw) -> dict[str, Tensor]:
        stream = rng.generator(self.seed, "clip", draw.position)
        indices = self.sampler(self.source.length(draw.video), stream)
        pixels = torch.from_numpy(self._read(draw.video, indices.numpy(), stream))
        if self.flip and torch.rand((), generator=stream) < 0.5:
            pixels = pixels.flip(2)
        clip = {"pixels": pixels, "times": (indices - indices[0]).to(torch.float32)}
        label = self.source.label(draw.video)
        if label is not None:
            clip["label"] = torch.tensor(label)
        return clip

    def _read(self, video: int, indices: np.ndarray, stream: torch.Generator) -> np.ndarray:
        crops: tuple[int, int] | None = getattr(self.source, "crops", None)
        if crops is None:
            return self.source.read(video, indices)
        top, left = (int(torch.randint(places, (), generator=stream)) for places in crops)
        return self.source.read_at(video, indices, top, left)  # pyright: ignore[reportAttributeAccessIssue]
