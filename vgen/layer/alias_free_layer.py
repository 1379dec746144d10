"""The layers of an alias-free generator: a modulated convolution with a filtered activation, and the step to pixels."""

import math

import torch
from torch import Tensor, nn

from vgen.layer.band_plan import Band
from vgen.layer.biased_activation import biased_activation
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.filtered_activation import FilteredActivation
from vgen.layer.magnitude import MagnitudeGain
from vgen.layer.modulated_conv import modulated_conv2d
from vgen.layer.style_layer import style_of


class AliasFreeLayer(nn.Module):
    """x (N, inputs, before.size, before.size), w (N, style_dim) -> (N, after.width, after.size, after.size).

    x is brought to magnitude 1, convolved by a modulated 3x3 kernel, and passes a filtered leaky ReLU, which also
    brings it to its new rate.

    Source: StyleGAN3, Karras et al. 2021, arXiv 2106.12423, fig. 4.

    Args:
        before, after: the bands of what comes in and goes out.
        taps: of a filter, for each sample of the lower of its two rates.
        clamp: limit of the activation, or None.
    """

    def __init__(
        self, before: Band, after: Band, style_dim: int, *, taps: int = 6, clamp: float | None = None
    ):
        super().__init__()
        self.style = EqualizedLinear(style_dim, before.width, first_bias=1.0)
        self.weight = nn.Parameter(torch.randn(after.width, before.width, 3, 3))
        self.bias = nn.Parameter(torch.zeros(after.width))
        self.magnitude = MagnitudeGain()
        self.activation = FilteredActivation(
            given=before.size + 2,  # the convolution is padded by all that its kernel reaches
            size=after.size,
            rate_in=before.rate,
            rate_out=after.rate,
            cutoff_in=before.cutoff,
            cutoff_out=after.cutoff,
            half_in=before.half,
            half_out=after.half,
            taps=taps,
            clamp=clamp,
        )

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        gain = self.magnitude(x)
        x = modulated_conv2d(x, self.weight, style_of(self.style, w), padding=2, gain=gain)
        return self.activation(x, self.bias)


class AliasFreeToPixels(nn.Module):
    """x (N, inputs, H, W), w (N, style_dim) -> (N, channels, H, W): x at magnitude 1, 1x1 convolution without
    demodulation, clamp.
    """

    def __init__(self, inputs: int, channels: int, style_dim: int, *, clamp: float | None = None):
        super().__init__()
        self.clamp = clamp
        self.style = EqualizedLinear(style_dim, inputs, first_bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.magnitude = MagnitudeGain()
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        gain = self.magnitude(x)
        style = style_of(self.style, w) * self.scale
        x = modulated_conv2d(x, self.weight, style, demodulate=False, gain=gain)
        return biased_activation(x, self.bias, slope=1.0, clamp=self.clamp)
