"""Two frames of a clip, often far apart: what DIGAN trains on."""

import torch
from torch import Tensor


class BetaPair:
    """Two frames of a window, floor(window u) and floor(window v) with u ~ Beta(2, 1), v ~ Beta(1, 2), in order.

    The window of `window` frames, `stride` apart, starts uniformly at random. A pair that falls on one frame is drawn
    again (one in `window` * 1.5, about; the authors' code keeps it).

    Source: DIGAN, Yu et al. 2022, arXiv 2202.10571; sihyun-yu/digan: src/training/dataset.py.

    Args:
        frames: frames per clip, which must be 2: set clip.frames=2.
        window: length of the clip that the two are taken from, in frames `stride` apart.
        stride: distance between neighbouring frames of the window, in frames of the video.

    Raises:
        ValueError: `frames` is not 2, `window` below 2, `stride` below 1; on a call, a video shorter than `span`.
    """

    def __init__(self, *, frames: int = 2, window: int = 16, stride: int = 1):
        if frames != 2:
            raise ValueError(f"sampler=beta_pair draws 2 frames, not {frames}; set clip.frames=2")
        for name, value, least in (("window", window, 2), ("stride", stride, 1)):
            if value < least:
                raise ValueError(f"sampler.{name} is {value}: it must be at least {least}")
        self.frames = frames
        self.window = window
        self.stride = stride
        self.span = (window - 1) * stride + 1

    def __call__(self, available: int, rng: torch.Generator) -> Tensor:
        """Frame indices (2,) int64, increasing, in [0, available)."""
        starts = available - self.span + 1
        if starts < 1:
            raise ValueError(
                f"a video of {available} frames is shorter than the {self.span} that a window of {self.window} "
                f"frames at stride {self.stride} needs"
            )
        start = torch.randint(starts, (), generator=rng)
        while True:
            uniform = torch.rand(2, dtype=torch.float64, generator=rng)
            # Inverse distribution functions: sqrt(u) of Beta(2, 1), 1 - sqrt(1 - u) of Beta(1, 2).
            beta = torch.stack([uniform[0].sqrt(), 1 - (1 - uniform[1]).sqrt()])
            pair = (beta * self.window).long().clamp_max(self.window - 1).sort().values
            if pair[0] < pair[1]:
                return start + pair * self.stride
