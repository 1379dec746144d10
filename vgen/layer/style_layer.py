"""The layers of a style-based generator: a modulated convolution with noise and activation, and the step to pixels."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vgen.layer.biased_activation import GAIN, biased_activation
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.filtered_conv import BINOMIAL
from vgen.layer.modulated_conv import modulated_conv2d
from vgen.layer.upfirdn import fir_filter


class StyleLayer(nn.Module):
    """x (N, inputs, H, W), w (N, style_dim) -> (N, outputs, up H, up W): 3x3 modulated convolution, leaky ReLU.

    Source: Karras et al. 2020, arXiv 1912.04958, fig. 2.

    Args:
        size: height and width of what comes out.
        up: 1 or 2.
        noise: whether to add a learned multiple of N(0, 1) to all channels alike: drawn anew in training, on the
            device from torch's default generator as `InstanceNoise`; always the same in evaluation.
        clamp: limit of what comes out, or None.
        taps: of the filter that goes with `up`.
    """

    filter: Tensor
    still_noise: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        style_dim: int,
        *,
        size: int,
        up: int = 1,
        noise: bool = False,
        clamp: float | None = None,
        taps: Sequence[float] = BINOMIAL,
    ):
        super().__init__()
        self.up = up
        self.clamp = clamp
        self.style = EqualizedLinear(style_dim, inputs, first_bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("filter", fir_filter(taps), persistent=False)
        self.noise_strength = nn.Parameter(torch.zeros(())) if noise else None
        if noise:
            self.register_buffer("still_noise", torch.randn(size, size))

    def forward(self, x: Tensor, w: Tensor, gain: float = 1.0) -> Tensor:
        x = modulated_conv2d(x, self.weight, style_of(self.style, w), up=self.up, filter=self.filter)
        if self.noise_strength is not None:
            shape = (len(x), 1, *x.shape[2:])
            noise = torch.randn(shape, device=x.device) if self.training else self.still_noise
            x = x + (noise * self.noise_strength).to(x.dtype)
        clamp = None if self.clamp is None else self.clamp * gain
        return biased_activation(x, self.bias, gain=GAIN * gain, clamp=clamp)


class StyleToPixels(nn.Module):
    """x (N, inputs, H, W), w (N, style_dim) -> (N, channels, H, W): 1x1 modulated convolution, no demodulation."""

    def __init__(self, inputs: int, channels: int, style_dim: int, *, clamp: float | None = None):
        super().__init__()
        self.clamp = clamp
        self.style = EqualizedLinear(style_dim, inputs, first_bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = style_of(self.style, w) * self.scale
        x = modulated_conv2d(x, self.weight, style, demodulate=False)
        return biased_activation(x, self.bias, slope=1.0, clamp=self.clamp)


def style_of(affine: EqualizedLinear, w: Tensor) -> Tensor:
    """The style that an affine map makes of w, in full precision."""
    with torch.autocast(w.device.type, enabled=False):
        return affine(w)
