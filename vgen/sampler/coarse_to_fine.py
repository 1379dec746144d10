"""Frames near together or far apart, by octaves: TGANv2's sparse training for networks of one level."""

import torch
from torch import Tensor


class CoarseToFine:
    """`frames` frames, 2^l * `stride` apart, with the level l uniform over 0 .. levels - 1, at a random phase.

    In TGANv2 each level of the networks sees every second frame, at a random phase, of those that the level before it
    sees, at twice the resolution; between levels frames get fewer. Its own networks halve clips themselves and are
    trained with sampler=consecutive. Here one network sees the frame rates of all levels, clips being equally long:
    fine motion at level 0, a stretch of the video 2^(levels - 1) times as long at the last.

    Levels too long for the video are left out; the start is uniform over what leaves room for the clip, and with it
    the phase.

    Source: TGANv2, Saito et al. 2020, arXiv 1811.09245; pfnet-research/tgan2: tgan2/datasets/multi_level.py.

    Args:
        frames: frames per clip.
        levels: how many.
        stride: distance between neighbouring frames at level 0, in frames of the video.

    Raises:
        ValueError: an argument below 1; on a call, a video shorter than `span`.
    """

    def __init__(self, *, frames: int, levels: int = 4, stride: int = 1):
        for name, value in (("frames", frames), ("levels", levels), ("stride", stride)):
            if value < 1:
                raise ValueError(f"sampler.{name} is {value}: it must be at least 1")
        self.frames = frames
        self.levels = levels
        self.stride = stride
        self.span = (frames - 1) * stride + 1

    def __call__(self, available: int, rng: torch.Generator) -> Tensor:
        """Frame indices (T,) int64, increasing, in [0, available)."""
        if available < self.span:
            raise ValueError(
                f"a video of {available} frames is shorter than the {self.span} that {self.frames} frames at "
                f"stride {self.stride} need"
            )
        steps = [self.stride * 2**level for level in range(self.levels)]
        possible = [step for step in steps if (self.frames - 1) * step < available]
        step = possible[int(torch.randint(len(possible), (), generator=rng))]
        start = torch.randint(available - (self.frames - 1) * step, (), generator=rng)
        return start + torch.arange(self.frames) * step
