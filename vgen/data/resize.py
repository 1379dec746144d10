"""Frames of any size -> square frames."""

from typing import Literal

import numpy as np
import torch
from torch.nn.functional import interpolate

Resize = Literal["crop", "squash"]


def to_square(frames: np.ndarray, *, size: int, channels: int, resize: Resize) -> np.ndarray:
    """(n, H, W, 3) uint8 -> (n, size, size, channels) uint8.

    Bicubic with antialiasing (torch's, in fixed point: Pillow's result within one grey level). "crop" brings
    the short side to `size` and cuts out the centre; "squash" brings both sides to `size`. One channel is the
    luma of BT.601.
    """
    height, width = frames.shape[1:3]
    short = min(height, width)
    scaled = (size, size)
    if resize == "crop":
        scaled = round(height * size / short), round(width * size / short)
    if scaled != (height, width):
        video = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        video = interpolate(video, size=scaled, mode="bicubic", antialias=True)
        frames = video.permute(0, 2, 3, 1).numpy()
    top, left = (scaled[0] - size) // 2, (scaled[1] - size) // 2
    frames = frames[:, top : top + size, left : left + size]
    if channels == 1:
        luma = frames.astype(np.uint32) @ np.array([[299], [587], [114]], dtype=np.uint32)
        frames = ((luma + 500) // 1000).astype(np.uint8)
    return np.ascontiguousarray(frames)
