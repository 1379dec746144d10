"""How a generator's floats become the bytes that extractors see: a step in which lineages differ."""

from typing import Literal

import torch
from torch import Tensor

from vgen.clip import to_pixels

Pixels = Literal["round", "styleganv", "truncate"]


def quantize(video: Tensor, how: Pixels) -> Tensor:
    """(B, C, T, H, W) in [-1, 1] -> (B, T, H, W, C) uint8; values outside are clamped.

    "round": 127.5 (x + 1), to nearest. "styleganv": 127.5 x + 128, cut off (StyleGAN-V, long-video-gan
    `metric_utils.py`). "truncate": 255 (x + 1) / 2, cut off (DIGAN `compute_fvd_kvd.py`), on average half a grey
    level darker than "round".
    """
    if how == "round":
        return to_pixels(video)
    video = video.detach().float().clamp(-1, 1)
    scaled = video * 127.5 + 128 if how == "styleganv" else (video + 1) / 2 * 255
    return scaled.clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 4, 1)
