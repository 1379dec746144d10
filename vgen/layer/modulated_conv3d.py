"""StyleGAN2's convolution for clips, whose weights a style code of its own scales at every frame."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def modulated_conv3d(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """x (B, I, T, H, W), weight (O, I, kt, k, k), style (B, T, I) -> (B, O, T - kt + 1, H, W), kt and k odd.

    Each frame's channels are scaled by its style, the clip is convolved, without padding along time, and the channels
    of each frame that comes out are divided by the length that the weights have under the style of that frame alone:
    sqrt(sum of (weight * style)^2 + 1e-8).

    In half precision weights and styles are first divided by their largest entries, which demodulation undoes.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429, appendix; NVlabs/long-video-gan:
    model/generator_lres.py. The convolution that it modulates: Karras et al. 2020, arXiv 1912.04958, §2.2.
    """
    weight = weight / math.sqrt(weight[0].numel())
    if x.element_size() < 4 or torch.is_autocast_enabled(x.device.type):
        weight = weight / weight.abs().amax((1, 2, 3, 4), keepdim=True)
        style = style / style.abs().amax((1, 2), keepdim=True)
    scaled = x * style.to(x.dtype).transpose(1, 2)[..., None, None]
    if weight.shape[2] == 1:  # faster as frames side by side
        frames = scaled.transpose(1, 2).flatten(0, 1)
        y = F.conv2d(frames, weight[:, :, 0].to(x.dtype), padding=weight.shape[-1] // 2)
        y = y.unflatten(0, (len(x), -1)).transpose(1, 2)
    else:
        y = F.conv3d(scaled, weight.to(x.dtype), padding=(0, weight.shape[3] // 2, weight.shape[4] // 2))
    cut = weight.shape[2] // 2
    with torch.autocast(x.device.type, enabled=False):
        middle = style[:, cut : style.shape[1] - cut]
        lengths = middle.square() @ weight.square().sum((2, 3, 4)).T  # (B, T', O)
        inverse = (lengths + 1e-8).rsqrt().transpose(1, 2)[..., None, None]
    return y * inverse.to(y.dtype)
