"""Neighbouring frames: what VGAN, TGAN and MoCoGAN train on."""

import torch
from torch import Tensor


class Consecutive:
    """`frames` frames, `stride` apart, from a uniformly random start.

    Every start that leaves room for the whole clip is equally likely, so the middle of a video is seen more
    often than its ends.

    Args:
        frames: frames per clip.
        stride: distance between neighbouring frames, in frames of the video; 1 takes every frame.

    Raises:
        ValueError: `frames` or `stride` below 1; on a call, a video shorter than `span`.
    """

    def __init__(self, *, frames: int, stride: int = 1):
        for name, value in (("frames", frames), ("stride", stride)):
            if value < 1:
                raise ValueError(f"sampler.{name} is {value}: it must be at least 1")
        self.frames = frames
        self.stride = stride
        self.span = (frames - 1) * stride + 1

    def __call__(self, available: int, rng: torch.Generator) -> Tensor:
        """Frame indices (T,) int64 in [0, available)."""
        starts = available - self.span + 1
        if starts < 1:
            raise ValueError(
                f"a video of {available} frames is shorter than the {self.span} that {self.frames} frames at "
                f"stride {self.stride} need"
            )
        start = torch.randint(starts, (), generator=rng)
        return start + torch.arange(self.frames) * self.stride
