"""LongVideoGAN's residual block: two modulated convolutions of a clip, then time and frames doubled."""

import math

import torch
from torch import Tensor, nn

from vgen.layer.biased_activation import biased_activation
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.filtered_conv import BINOMIAL
from vgen.layer.filtered_conv3d import EqualizedConv3d
from vgen.layer.magnitude import MagnitudeGain
from vgen.layer.modulated_conv3d import modulated_conv3d
from vgen.layer.style_layer import style_of
from vgen.layer.upfirdn import fir_filter, upsample2d


class StyleVideoBlock(nn.Module):
    """x (B, inputs, T, H, W), w (B, T, style_dim) -> (B, outputs, T', up H, up W).

    Convolutions are not padded along time. So T' is T - 4 with `temporal_kernel` 3 and T with 1; with `double_time` it
    then becomes 2 T' - 2 (`double_time`).

    Each convolution's input is divided by its usual magnitude. The shortcut is a 1x1x1 convolution; the sum is doubled
    and takes its bias and activation last.

    Source: Brooks et al. 2022, arXiv 2206.03429, appendix; NVlabs/long-video-gan: model/generator_lres.py.

    Args:
        temporal_kernel: of both convolutions; 3 along both dimensions of space.
        up: whether height and width double.
        clamp: limit of what each convolution gives, or None.
    """

    filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        style_dim: int,
        *,
        temporal_kernel: int = 3,
        double_time: bool = False,
        up: bool = False,
        clamp: float | None = 256.0,
    ):
        super().__init__()
        self.cut = temporal_kernel // 2
        self.double_time, self.up, self.clamp = double_time, up, clamp
        kernel = (temporal_kernel, 3, 3)
        self.one = _Convolution(inputs, inputs, style_dim, kernel)
        self.two = _Convolution(inputs, outputs, style_dim, kernel)
        self.shortcut = EqualizedConv3d(inputs, outputs, (1, 1), bias=False, slope=1.0)
        self.bias_one = nn.Parameter(torch.zeros(inputs))
        self.bias_two = nn.Parameter(torch.zeros(outputs))
        self.magnitude_one, self.magnitude_two = MagnitudeGain(), MagnitudeGain()
        self.register_buffer("filter", fir_filter(BINOMIAL), persistent=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        cut = self.cut
        x = x * self.magnitude_one(x).to(x.dtype)
        hidden = biased_activation(self.one(x, w), self.bias_one, clamp=self.clamp)
        hidden = hidden * self.magnitude_two(hidden).to(hidden.dtype)
        hidden = self.two(hidden, w[:, cut : w.shape[1] - cut])
        direct = self.shortcut(x[:, :, 2 * cut : x.shape[2] - 2 * cut])
        y = (direct + hidden) * math.sqrt(0.5)
        if self.double_time:
            y = double_time(y)
        if self.up:
            frames = y.transpose(1, 2).flatten(0, 1)
            y = upsample2d(frames, self.filter).unflatten(0, (len(y), -1)).transpose(1, 2)
        return biased_activation(y, self.bias_two, clamp=self.clamp)


class _Convolution(nn.Module):
    """`modulated_conv3d` with its weight, under the name by which rules of weights find it, and its style."""

    def __init__(self, inputs: int, outputs: int, style_dim: int, kernel: tuple[int, int, int]):
        super().__init__()
        self.style = EqualizedLinear(style_dim, inputs, first_bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *kernel))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return modulated_conv3d(x, self.weight, style_of(self.style, w))


def double_time(x: Tensor) -> Tensor:
    """(B, C, T, ...) -> (B, C, 2 T - 2, ...): frames at 1/4 and 3/4 of the way from each frame to the next.

    Frame i of the input lies between frames 2 i - 1 and 2 i of the result, counted from the same beginning.
    """
    early, late = x[:, :, :-1], x[:, :, 1:]
    first, second = torch.lerp(early, late, 0.25), torch.lerp(early, late, 0.75)
    return torch.stack([first, second], 3).flatten(2, 3)
