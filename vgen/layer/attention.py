"""Self-attention among the positions of a clip."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

Axis = Literal["time", "height", "width"]

_DIMS: dict[Axis, int] = {"time": 2, "height": 3, "width": 4}


class SelfAttention(nn.Module):
    """x (B, C, T, H, W) -> x + gamma * attention among positions that differ along `axes` only; gamma is 0 at first.

    One head. Queries and keys have C / 8 channels, values C; the dot products are not scaled.

    Source: SAGAN, Zhang et al. 2019, arXiv 1805.08318, §3, with values of full width and no output layer, as in
    wyhsirius/g3an-project: model/ops.py.

    Args:
        channels: C.
        axes: one to three of "time", "height" and "width".
    """

    def __init__(self, channels: int, axes: Sequence[Axis]):
        super().__init__()
        unknown = [axis for axis in axes if axis not in _DIMS]
        if unknown or not axes or len(set(axes)) != len(axes):
            raise ValueError(f"attention along {list(axes)}: choose different ones of {', '.join(_DIMS)}")
        narrow = max(channels // 8, 1)
        self.query = nn.Conv3d(channels, narrow, 1)
        self.key = nn.Conv3d(channels, narrow, 1)
        self.value = nn.Conv3d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))
        along = sorted(_DIMS[axis] for axis in axes)
        apart = [dim for dim in _DIMS.values() if dim not in along]
        self.order = (0, *apart, *along, 1)  # (B, apart ..., along ..., C)
        self.apart = len(apart)

    def forward(self, x: Tensor) -> Tensor:
        ordered = x.permute(self.order).shape
        query, key, value = (self._rows(layer(x)) for layer in (self.query, self.key, self.value))
        # Written out: torch's fused attention cannot be differentiated twice, as R1 and path length do.
        seen = (query @ key.transpose(1, 2)).softmax(2) @ value  # (N, positions, C)
        back = [self.order.index(dim) for dim in range(5)]
        return x + self.gamma * seen.reshape(ordered).permute(back)

    def _rows(self, x: Tensor) -> Tensor:
        """(B, D, T, H, W) -> (N, positions that attend to each other, D)."""
        return x.permute(self.order).flatten(0, self.apart).flatten(1, -2)


def separable_attention(channels: int, *groups: Sequence[Axis]) -> nn.Sequential:
    """One `SelfAttention` after another, each along the axes of its group; cheaper than one along all of them."""
    return nn.Sequential(*(SelfAttention(channels, axes) for axes in groups))
