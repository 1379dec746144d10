"""What of real clips a generator is given: the beginnings that it continues, or small versions that it enlarges."""

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from vgen.clip import from_pixels, given_frames, given_part, is_given, small_size
from vgen.data.evaluation_clips import VideoClips
from vgen.data.source import VideoSource
from vgen.protocol.contract import ClipSet


class GivenFrames:
    """What `generator` is given of the clips of a set: for clip i of clip i, and the set comes round again.

    Args:
        clips: whose frames are as far apart as those of the clips to make. As long as those for a generator that
            enlarges clips; at least as long as what is given for one that continues them.
        generator: one that `is_given` something, in evaluation mode.
    """

    def __init__(self, clips: ClipSet, generator: Any) -> None:
        self.clips, self.generator = clips, generator

    @property
    def identity(self) -> dict[str, Any]:
        small = small_size(self.generator)
        kind = {"small": small} if small else {"frames": given_frames(self.generator)}
        return kind | {"of": self.clips.identity}

    def read(self, indices: Sequence[int]) -> Tensor:
        """The part "given" for clips number `indices`: (b, C, t, h, w) float, about [-1, 1], on the CPU."""
        pixels = self.clips.read([index % len(self.clips) for index in indices])
        return given_part(self.generator, from_pixels(pixels))

    def labels(self, count: int) -> Tensor | None:
        """Classes (count,) of the clips that are continued or enlarged; None if they have none."""
        labels = self.clips.labels
        return None if labels is None else labels[torch.arange(count) % len(labels)]


def beginnings(
    source: VideoSource, generator: object, *, frames: int, stride: int, count: int, seed: int
) -> GivenFrames | None:
    """What is given for `count` clips of `frames` frames, at random places of the videos of `source` that follow from
    `seed`. None for a generator that is given nothing.
    """
    if not is_given(generator):
        return None
    read = given_frames(generator) or frames
    return GivenFrames(VideoClips(source, frames=read, stride=stride, count=count, seed=seed), generator)


def training_beginnings(trainer: Trainer, generator: object, **which: int) -> GivenFrames | None:
    """`beginnings` of the clips that a run is trained on."""
    if not is_given(generator):
        return None
    return beginnings(trainer.datamodule.source, generator, **which)  # type: ignore[attr-defined]
