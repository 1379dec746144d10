"""Frames as grey pictures of one working size, for what is measured without colour."""

import torch
import torch.nn.functional as F
from torch import Tensor


def grey_frames(pixels: Tensor, size: int) -> Tensor:
    """(B, T, H, W, C) uint8 with C 1 or 3 -> (B, T, size, size) float32 grey values in [0, 1].

    Luma as in ITU-R BT.601. Other sizes are squashed to `size`: bilinear, with antialiasing.
    """
    luma = torch.tensor([1.0] if pixels.shape[4] == 1 else [0.299, 0.587, 0.114], device=pixels.device)
    # a sum rather than a product of matrices: the same on every device, and exact for black and white
    grey = (pixels.float() * (luma / 255)).sum(dim=4)
    if grey.shape[-2:] != (size, size):
        grey = F.interpolate(grey, (size, size), mode="bilinear", align_corners=False, antialias=True)
    return grey
