"""Convolutions of clips that may halve frames and time through a low-pass filter, with an equalised learning rate."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.layer.biased_activation import SLOPE, biased_activation
from vgen.layer.filtered_conv import BINOMIAL
from vgen.layer.upfirdn import down_padding, downsample2d, fir_filter


class EqualizedConv3d(nn.Module):
    """(B, inputs, T, H, W) -> (B, outputs, T', H', W'), weights times 1 / sqrt(fan in); bias and activation.

    The filter follows the convolution. An odd length T becomes (T - 1) / 2.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429; NVlabs/long-video-gan: model/discriminator_lres.py.

    Args:
        kernel: along time and along both dimensions of space, odd; lengths keep but for the halving.
        halve_time, halve_space: what is halved.
        slope: of the leaky ReLU below zero; 1 is a linear layer.
        clamp: limit of what comes out, or None.
    """

    filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        *,
        bias: bool = True,
        halve_time: bool = False,
        halve_space: bool = False,
        slope: float = SLOPE,
        clamp: float | None = None,
    ):
        super().__init__()
        time, space = kernel
        self.halve_time, self.halve_space = halve_time, halve_space
        self.slope, self.clamp = slope, clamp
        self.weight = nn.Parameter(torch.randn(outputs, inputs, time, space, space))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.weight_scale = 1 / math.sqrt(inputs * time * space**2)
        self.register_buffer("filter", fir_filter(BINOMIAL), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.weight[0, 0].numel() == 1:  # commutes with the filter, on the smaller map
            x = F.conv3d(self._halve(x), self.weight * self.weight_scale)
        else:
            time, space = self.weight.shape[2] // 2, self.weight.shape[3] // 2
            x = self._halve(F.conv3d(x, self.weight * self.weight_scale, padding=(time, space, space)))
        return biased_activation(x, self.bias, slope=self.slope, clamp=self.clamp)

    def _halve(self, x: Tensor) -> Tensor:
        if self.halve_space:
            frames = x.transpose(1, 2).flatten(0, 1)
            x = downsample2d(frames, self.filter).unflatten(0, (len(x), -1)).transpose(1, 2)
        return halve_time(x, self.filter) if self.halve_time else x


def halve_time(x: Tensor, filter: Tensor) -> Tensor:
    """(B, C, T, ...) -> (B, C, T / 2, ...): filtered along time, beyond whose ends all is 0; every other frame."""
    lines = x.movedim(2, -1)
    flat = F.pad(lines.reshape(-1, 1, x.shape[2]), down_padding(len(filter), 2))
    halved = F.conv1d(flat, filter.flip(0).to(x.dtype)[None, None], stride=2)
    return halved.reshape(*lines.shape[:-1], -1).movedim(-1, 2)
