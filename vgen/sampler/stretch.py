"""Neighbouring frames at a random speed: LongVideoGAN's temporal stretch."""

import math

import torch
from torch import Tensor


class Stretch:
    """`frames` frames, s * `stride` apart with log2 s uniform over [log2 slowest, log2 fastest], from a random start.

    A video too short for the fastest gives s uniform, in its logarithm, over what fits. The start is uniform over what
    leaves room for the clip. Distances are whole frames: with `equal_steps` s * stride is rounded, and at least 1;
    without, each frame is the one nearest to its place in time, so that every speed occurs but steps differ by 1.

    The authors stretch real and generated clips alike by interpolation before the discriminator sees them. Here
    frames are picked, and the generator is asked for the same times.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429; NVlabs/long-video-gan: model/video_gan_lres.py.

    Args:
        frames: frames per clip.
        stride: distance between neighbouring frames at s = 1, in frames of the video.
        slowest, fastest: bounds of s.
        equal_steps: whether neighbouring frames of a clip are equally far apart.

    Raises:
        ValueError: arguments out of range; frames would repeat (stride * slowest below 1 without `equal_steps`); on a
            call, a video shorter than `span`.
    """

    def __init__(
        self,
        *,
        frames: int,
        stride: int = 1,
        slowest: float = 0.5,
        fastest: float = 2.0,
        equal_steps: bool = True,
    ):
        for name, value in (("frames", frames), ("stride", stride)):
            if value < 1:
                raise ValueError(f"sampler.{name} is {value}: it must be at least 1")
        if not 0 < slowest <= fastest:
            raise ValueError(
                f"sampler.slowest={slowest}, sampler.fastest={fastest}: need 0 < slowest <= fastest"
            )
        if not equal_steps and stride * slowest < 1:
            raise ValueError(
                f"sampler.slowest={slowest} at stride {stride} would repeat frames; set clip.stride to at least "
                f"{math.ceil(1 / slowest)}, or sampler.equal_steps=true"
            )
        self.frames = frames
        self.stride = stride
        self.slowest = slowest
        self.fastest = fastest
        self.equal_steps = equal_steps
        self.span = self._length(slowest) + 1

    def __call__(self, available: int, rng: torch.Generator) -> Tensor:
        """Frame indices (T,) int64, increasing, in [0, available)."""
        if available < self.span:
            raise ValueError(
                f"a video of {available} frames is shorter than the {self.span} that {self.frames} frames at "
                f"stride {self.stride} and stretch {self.slowest} need"
            )
        low, high = math.log2(self.slowest), math.log2(self._fastest_in(available))
        speed = 2 ** (low + (high - low) * torch.rand((), dtype=torch.float64, generator=rng).item())
        offsets = self._offsets(speed)
        start = torch.randint(available - int(offsets[-1]), (), generator=rng)
        return start + offsets

    def _offsets(self, speed: float) -> Tensor:
        step = self.stride * speed
        if self.equal_steps:
            return torch.arange(self.frames) * max(1, round(step))
        return (torch.arange(self.frames, dtype=torch.float64) * step).round().long()

    def _length(self, speed: float) -> int:
        return int(self._offsets(speed)[-1])

    def _fastest_in(self, available: int) -> float:
        """The largest speed, at most `fastest`, whose clip fits into `available` frames."""
        room = available - 1
        if self._length(self.fastest) <= room:
            return self.fastest
        # A clip is as long as its rounded length, which grows at the halves.
        steps = self.frames - 1
        most = (room // steps + 0.5) if self.equal_steps else (room + 0.5) / steps
        return max(self.slowest, min(self.fastest, most / self.stride * (1 - 1e-9)))
