"""StyleGAN2's convolution, whose weights a style code scales for each frame, without spoiling their spread."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.layer.filtered_conv import conv2d_up

Form = Literal["scaled", "grouped"]


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    *,
    demodulate: bool = True,
    up: int = 1,
    filter: Tensor | None = None,
    padding: int | None = None,
    gain: Tensor | None = None,
    form: Form = "scaled",
) -> Tensor:
    """x (N, I, H, W), weight (O, I, k, k), style (N, I) -> (N, O, up H, up W), for frames with a style each.

    Frame n is convolved with the weights w[o, i] = weight[o, i] * style[n, i]; with `demodulate` each w[o] is then
    divided by its length sqrt(sum of squares + 1e-8), so that outputs keep the spread of the inputs.

    Form "scaled" scales inputs and outputs instead of weights and convolves all frames at once; "grouped" makes the
    weights of every frame and runs one group per frame. Both compute the same; `scripts/bench_layers` compares them.

    In half precision weights and styles are first divided by their largest entries, which demodulation undoes, so that
    nothing overflows on the way. Lengths are computed in the precision of the weights.

    Source: Karras et al. 2020, arXiv 1912.04958, §2.2, eqs. 1 and 3; the division from StyleGAN2-ADA, 2020.

    Args:
        up, filter: of `conv2d_up`.
        padding: zeros around a frame that is not enlarged; None keeps its size.
        gain: a scalar that multiplies x, and that demodulation does not undo.
    """
    if demodulate and _half(x):
        weight = weight / weight.abs().amax((1, 2, 3), keepdim=True)
        style = style / style.abs().amax(1, keepdim=True)
    if form == "grouped":
        return _grouped(x, weight, style, demodulate, up, filter, padding, gain)
    # A style in full precision would widen every map that it scales.
    scale = style if gain is None else style * gain
    y = _convolve(x * scale.to(x.dtype)[:, :, None, None], weight, up, filter, padding)
    if demodulate:
        with torch.autocast(x.device.type, enabled=False):
            lengths = style.square() @ weight.square().sum((2, 3)).T  # (N, O)
            inverse = (lengths + 1e-8).rsqrt()
        y = y * inverse.to(y.dtype)[:, :, None, None]
    return y


def _grouped(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    demodulate: bool,
    up: int,
    filter: Tensor | None,
    padding: int | None,
    gain: Tensor | None,
) -> Tensor:
    scaled = weight * style[:, None, :, None, None]  # (N, O, I, k, k)
    if demodulate:
        scaled = scaled * (scaled.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    if gain is not None:
        scaled = scaled * gain
    weights = scaled.flatten(0, 1).to(x.dtype)
    y = _convolve(x.flatten(0, 1)[None], weights, up, filter, padding, groups=len(x))
    return y[0].unflatten(0, (len(x), -1))


def _convolve(
    x: Tensor, weight: Tensor, up: int, filter: Tensor | None, padding: int | None, groups: int = 1
) -> Tensor:
    if up == 1:
        around = weight.shape[-1] // 2 if padding is None else padding
        return F.conv2d(x, weight, padding=around, groups=groups)
    if filter is None:
        raise ValueError(f"up={up} needs a filter")
    return conv2d_up(x, weight, filter, up=up, groups=groups)


def _half(x: Tensor) -> bool:
    return x.element_size() < 4 or torch.is_autocast_enabled(x.device.type)
