"""A few frames far apart: what StyleGAN-V trains on."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Sparse:
    """`frames` frames whose first and last lie a drawn distance apart, the others anywhere between.

    The distance d is uniform over those of `distances` that hold all frames (at least frames - 1) and fit into the
    video; the first frame is uniform over what leaves room for d, the last is d later, and the rest is a uniformly
    drawn set of the frames between them.

    Source: StyleGAN-V, Skorokhodov et al. 2022, arXiv 2112.14683; universome/stylegan-v: src/training/layers.py,
    random_frame_sampling.

    Args:
        frames: frames per clip.
        distances: between first and last frame, in frames of the video.

    Raises:
        ValueError: no distance holds `frames` frames; on a call, a video shorter than `span`.
    """

    def __init__(self, *, frames: int, distances: Sequence[int] = (1, 2, 4, 8, 16, 32)):
        if frames < 1:
            raise ValueError(f"sampler.frames is {frames}: it must be at least 1")
        self.frames = frames
        self.distances = sorted({d for d in distances if d >= frames - 1}) if frames > 1 else [0]
        if not self.distances:
            raise ValueError(
                f"sampler.distances={list(distances)}: {frames} frames need a distance of at least {frames - 1} "
                "between first and last; choose fewer frames (clip.frames=3) or add longer distances"
            )
        self.span = self.distances[0] + 1

    def __call__(self, available: int, rng: torch.Generator) -> Tensor:
        """Frame indices (T,) int64, increasing, in [0, available)."""
        possible = [d for d in self.distances if d < available]
        if not possible:
            raise ValueError(
                f"a video of {available} frames is shorter than the {self.span} that {self.frames} frames need"
            )
        distance = possible[int(torch.randint(len(possible), (), generator=rng))]
        first = torch.randint(available - distance, (1,), generator=rng)
        if self.frames == 1:
            return first
        between = (
            1 + torch.randperm(distance - 1, generator=rng)[: self.frames - 2] if distance > 1 else first[:0]
        )
        return torch.cat([first, first + between.sort().values, first + distance])
