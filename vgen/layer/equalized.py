"""Layers with an equalised learning rate: weights N(0, 1), scaled when they are used."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EqualizedLinear(nn.Module):
    """(..., inputs) -> (..., outputs), weights times `lr_multiplier / sqrt(inputs)` at run time.

    An optimiser such as Adam then moves every layer by the same share of its spread, times `lr_multiplier`.

    `first_bias` is what the bias is at first.

    Source: Karras et al. 2018, arXiv 1710.10196, §4.1; the multiplier from StyleGAN, 2019.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = True,
        lr_multiplier: float = 1.0,
        first_bias: float = 0.0,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), first_bias / lr_multiplier)) if bias else None
        self.weight_scale = lr_multiplier / math.sqrt(inputs)
        self.lr_multiplier = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        return F.linear(x, self.matrix(), bias)

    def matrix(self) -> Tensor:
        """(outputs, inputs): what inputs are multiplied with."""
        return self.weight * self.weight_scale


class EqualizedConv1d(nn.Module):
    """(B, inputs, T) -> (B, outputs, T - kernel + 1), without padding; scaled as `EqualizedLinear`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, lr_multiplier: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel) / lr_multiplier)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.weight_scale = lr_multiplier / math.sqrt(inputs * kernel)
        self.lr_multiplier = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight * self.weight_scale, self.bias * self.lr_multiplier)
