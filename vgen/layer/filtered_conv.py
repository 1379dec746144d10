"""Convolutions of frames that double or halve them through a low-pass filter, with an equalised learning rate."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.layer.biased_activation import GAIN, SLOPE, biased_activation
from vgen.layer.upfirdn import down_padding, downsample2d, fir_filter, up_padding, upfirdn2d, upsample2d

BINOMIAL = (1.0, 3.0, 3.0, 1.0)  # StyleGAN2's filter


def conv2d_up(x: Tensor, weight: Tensor, filter: Tensor, *, up: int = 2, groups: int = 1) -> Tensor:
    """x (N, I, H, W), weight (O, I / groups, k, k), k odd -> (N, O, up H, up W): upsampling, then convolution.

    Computed the other way round: a transposed convolution on the small frame, then the filter; the two commute. The
    kernel is not turned (a convolution, no correlation), which saves a copy and matters to nobody who learns it.

    Source: Karras et al. 2020, arXiv 1912.04958, and NVlabs/stylegan2-ada-pytorch: torch_utils/ops/conv2d_resample.py.
    """
    kernel = weight.shape[-1]
    if kernel == 1:  # no larger frame needs to be convolved
        return upsample2d(F.conv2d(x, weight, groups=groups), filter, up=up)
    inner = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)  # (I, O / groups, k, k)
    y = F.conv_transpose2d(x, inner, stride=up, groups=groups)  # up (H - 1) + k
    taps, margin = len(filter), kernel // 2
    before = margin + up_padding(taps, up)[0] - (kernel - 1)
    after = up + 2 * margin - 2 * kernel + taps - before
    return upfirdn2d(y, filter, padding=(before, after, before, after), gain=up**2)


def conv2d_down(x: Tensor, weight: Tensor, filter: Tensor, *, down: int = 2) -> Tensor:
    """x (N, I, H, W), weight (O, I, k, k), k odd -> (N, O, H / down, W / down): filter, then a convolution in steps."""
    kernel = weight.shape[-1]
    if kernel == 1:
        return F.conv2d(downsample2d(x, filter, down=down), weight)
    before, after = (kernel // 2 + side for side in down_padding(len(filter), down))
    return F.conv2d(upfirdn2d(x, filter, padding=(before, after, before, after)), weight, stride=down)


class EqualizedConv2d(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H', W'), weights times 1 / sqrt(inputs k^2) at run time; bias and activation.

    Source: Karras et al. 2020, arXiv 1912.04958.

    Args:
        kernel: odd; frames keep their size but for `up` and `down`.
        up, down: whole factors, one of which is 1.
        taps: of the separable low-pass filter that goes with them.
        slope: of the leaky ReLU below zero; 1 is a linear layer.
        clamp: limit of what comes out, for reduced precision; None is no limit.
    """

    filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        bias: bool = True,
        up: int = 1,
        down: int = 1,
        taps: Sequence[float] = BINOMIAL,
        slope: float = SLOPE,
        clamp: float | None = None,
    ):
        super().__init__()
        if kernel % 2 == 0 or min(up, down) != 1:
            raise ValueError(f"kernel={kernel} must be odd and one of up={up}, down={down} must be 1")
        self.up, self.down = up, down
        self.slope = slope
        self.clamp = clamp
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.weight_scale = 1 / math.sqrt(inputs * kernel**2)
        self.register_buffer("filter", fir_filter(taps), persistent=False)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """`gain` multiplies the result, and the clamp with it."""
        weight = self.weight * self.weight_scale
        if self.up > 1:
            x = conv2d_up(x, weight, self.filter, up=self.up)
        elif self.down > 1:
            x = conv2d_down(x, weight, self.filter, down=self.down)
        else:
            x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        clamp = None if self.clamp is None else self.clamp * gain
        own = 1.0 if self.slope == 1 else GAIN
        return biased_activation(x, self.bias, slope=self.slope, gain=own * gain, clamp=clamp)
