"""A set of videos as a map from draws to training clips."""

from collections.abc import Sequence
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

    A batch is a dict of "pixels" (B, T, H, W, C) uint8, "times" (B, T) float32 in frames since the clip's first and,
    if the videos have classes, "label" (B,) int64; an item is one row of it. If the source has `crops` (rows,
    columns), its frames are larger than a clip's, and where the clip is cut out is drawn too.

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
        self._frame: tuple[int, ...] = ()

    def __getitem__(self, draw: Draw) -> dict[str, Tensor]:
        return {name: part[0] for name, part in self.batch([draw]).items()}

    def batch(self, draws: Sequence[Draw], *, pinned: bool = False) -> dict[str, Tensor]:
        """The clips of `draws`, each pixel copied once, into page-locked memory if `pinned`."""
        videos = [draw.video for draw in draws]
        crops: tuple[int, int] | None = getattr(self.source, "crops", None)
        frames, corners, mirrored = [], [], []
        for row, draw in enumerate(draws):
            stream = rng.generator(self.seed, "clip", draw.position)
            frames.append(self.sampler(self.source.length(draw.video), stream))
            if crops is not None:
                corners.append([int(torch.randint(places, (), generator=stream)) for places in crops])
            if self.flip and torch.rand((), generator=stream) < 0.5:
                mirrored.append(row)
        indices = torch.stack(frames)
        pixels = self._gather(videos, indices.numpy(), corners, pinned)
        for row in mirrored:
            pixels[row] = pixels[row].flip(2)
        batch = {"pixels": pixels, "times": (indices - indices[:, :1]).to(torch.float32)}
        labels = [self.source.label(video) for video in videos]
        known = [label for label in labels if label is not None]
        return batch | ({"label": torch.tensor(known)} if known else {})

    def _gather(
        self, videos: list[int], indices: np.ndarray, corners: list[list[int]], pinned: bool
    ) -> Tensor:
        if not self._frame:
            self._frame = self.source.read(videos[0], indices[0, :1]).shape[1:]
        pixels = torch.empty((*indices.shape, *self._frame), dtype=torch.uint8, pin_memory=pinned)
        gather, read_at = (getattr(self.source, name, None) for name in ("gather", "read_at"))
        if corners and read_at is not None:
            for row, (video, chosen) in enumerate(zip(videos, indices, strict=True)):
                pixels[row] = torch.from_numpy(read_at(video, chosen, *corners[row]))
        elif gather is not None:
            gather(videos, indices, pixels.numpy())
        else:
            for row, (video, chosen) in enumerate(zip(videos, indices, strict=True)):
                pixels[row] = torch.from_numpy(self.source.read(video, chosen))
        return pixels
