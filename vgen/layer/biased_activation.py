"""Bias, leaky ReLU, gain and clamp, in the order of StyleGAN2's fused operator."""

import math

import torch.nn.functional as F
from torch import Tensor

SLOPE = 0.2
GAIN = math.sqrt(2)  # nearly keeps the second moment of N(0, 1) through a leaky ReLU


def biased_activation(
    x: Tensor,
    bias: Tensor | None,
    *,
    slope: float = SLOPE,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """gain * leaky_relu(x + bias), limited to [-clamp, clamp]; x (N, C, ...), bias (C,).

    Plain operators, which torch.compile fuses and which can be differentiated any number of times.

    Source: Karras et al. 2020, arXiv 2006.06676, and NVlabs/stylegan2-ada-pytorch: torch_utils/ops/bias_act.py.

    Args:
        slope: below zero; 1 is no activation at all.
        gain: None is sqrt(2), and 1 without activation.
        clamp: None is no limit.
    """
    if bias is not None:
        x = x + bias.to(x.dtype).view(1, -1, *[1] * (x.ndim - 2))
    if slope != 1:
        x = F.leaky_relu(x, slope)
    gain = (1.0 if slope == 1 else GAIN) if gain is None else gain
    if gain != 1:
        x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)
