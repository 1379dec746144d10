"""Bilinear sampling at given positions that can be differentiated any number of times."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import grid_sample

_BILINEAR, _BORDER, _ALIGN_CORNERS = 0, 1, True


def sample_bilinear(planes: Tensor, grid: Tensor) -> Tensor:
    """planes (N, P, H, W), grid (N, h, w, 2) of (x, y) in [-1, 1], the centres of the corner pixels -> (N, P, h, w).

    Sampling is linear in the pixels, so the derivative is its adjoint and the derivative of that the sampling again;
    torch's own stops at the first (`grid_sampler_2d_backward` has none). The grid takes no gradient.
    """
    return _Sample.apply(planes, grid)  # pyright: ignore[reportReturnType]


class _Sample(Function):
    @staticmethod
    def forward(ctx: Any, planes: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = planes.shape
        return grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=_ALIGN_CORNERS)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (grid,) = ctx.saved_tensors
        return _Adjoint.apply(gradient, grid, ctx.shape), None  # pyright: ignore[reportReturnType]


class _Adjoint(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        unread = values.new_empty(1).expand(shape)  # only its shape matters where the grid takes no gradient
        spread = torch.ops.aten.grid_sampler_2d_backward
        return spread(values, unread, grid, _BILINEAR, _BORDER, _ALIGN_CORNERS, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (grid,) = ctx.saved_tensors
        return _Sample.apply(gradient, grid), None, None  # pyright: ignore[reportReturnType]
