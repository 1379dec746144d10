"""Beginnings of real clips, for a generator that continues them."""

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from vgen.clip import from_pixels, given_frames
from vgen.data.evaluation_clips import VideoClips
from vgen.data.source import VideoSource
from vgen.protocol.contract import ClipSet


class GivenFrames:
    """The first `frames` frames of the clips of a set; those for clip i are clip i's, and the set comes round again.

    Args:
        clips: whose frames are as far apart as those of the clips to make.
        frames: of each, at most as many as it has.
    """

    def __init__(self, clips: ClipSet, frames: int) -> None:
        self.clips, self.frames = clips, frames

    @property
    def identity(self) -> dict[str, Any]:
        return {"frames": self.frames, "of": self.clips.identity}

    def read(self, indices: Sequence[int]) -> Tensor:
        """What is given for clips number `indices`: (b, C, frames, H, W) float in [-1, 1]."""
        pixels = self.clips.read([index % len(self.clips) for index in indices])
        return from_pixels(pixels[:, : self.frames])

    def labels(self, count: int) -> Tensor | None:
        """Classes (count,) of the clips that are continued; None if they have none."""
        labels = self.clips.labels
        return None if labels is None else labels[torch.arange(count) % len(labels)]


def beginnings(
    source: VideoSource, generator: object, *, stride: int, count: int, seed: int
) -> GivenFrames | None:
    """Beginnings of `count` clips of `source` for `generator`, at random places of videos that follow from `seed`.

    None for a generator that is given nothing.
    """
    frames = given_frames(generator)
    if not frames:
        return None
    return GivenFrames(VideoClips(source, frames=frames, stride=stride, count=count, seed=seed), frames)


def training_beginnings(trainer: Trainer, generator: object, **which: int) -> GivenFrames | None:
    """`beginnings` of the clips that a run is trained on."""
    if not given_frames(generator):
        return None
    return beginnings(trainer.datamodule.source, generator, **which)  # type: ignore[attr-defined]
