"""How far apart the frames of a clip lie, as a code."""

import math

import torch
from torch import Tensor, nn

from vgen.clip import Clip
from vgen.layer.label import one_hot


class TimeDifferences(nn.Module):
    """times (B, T) -> (B, (T - 1) * (dim + waves)): a learned vector and waves of each distance to the next frame.

    The vector is that of the nearest whole number of frames; distances of `longest` frames or more share the last one.
    The waves are sines and cosines of frequencies pi / L, 2 pi / L, ..., pi / 2, L the power of 2 from `longest` on.

    Source: StyleGAN-V, Skorokhodov et al. 2022, arXiv 2112.14683, §3.2; universome/stylegan-v: src/training/layers.py.

    Args:
        frames: T, at least 2.
        dim: width of the learned vectors.
        longest: how many of them there are.
    """

    frequencies: Tensor

    def __init__(self, frames: int, *, dim: int = 256, longest: int = 1024):
        super().__init__()
        if dim < 1 or longest < 2:
            raise ValueError(f"time_dim={dim} must be at least 1 and longest={longest} at least 2")
        octaves = math.ceil(math.log2(longest))
        self.vectors = nn.Embedding(longest, dim)
        self.register_buffer(
            "frequencies", math.pi * 2.0 ** torch.arange(octaves) / 2**octaves, persistent=False
        )
        self.dim = (frames - 1) * (dim + 2 * octaves)

    def forward(self, times: Tensor) -> Tensor:
        distances = times.diff(dim=1)  # (B, T - 1)
        nearest = distances.round().long().clamp(0, self.vectors.num_embeddings - 1)
        angles = distances[..., None] * self.frequencies
        code = torch.cat([self.vectors(nearest), angles.sin(), angles.cos()], 2)
        return code.flatten(1)


def judge_condition(clip: Clip, classes: int, differences: TimeDifferences | None) -> Tensor | None:
    """What a discriminator is told of a clip: its one-hot label if there are `classes`, and its distances if measured.

    Returns:
        (B, classes + differences.dim), or None if there is neither.
    """
    parts = []
    if classes:
        parts.append(one_hot(clip.label, classes, dtype=clip.video.dtype, who="discriminator"))
    if differences is not None:
        parts.append(differences(clip.times))
    return torch.cat(parts, 1) if parts else None
