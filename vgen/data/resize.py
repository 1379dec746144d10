"""Frames of any size -> square frames."""

import math
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import interpolate

Resize = Literal["crop", "squash"]
Resample = Literal["bicubic", "videogpt", "cdfvd", "digan"]


def to_square(
    frames: np.ndarray, *, size: int, channels: int, resize: Resize, resample: Resample = "bicubic"
) -> np.ndarray:
    """(n, H, W, 3) uint8 -> (n, size, size, channels) uint8. Frames of the right size are left alone.

    "crop" brings the short side to `size` and cuts out the centre; "squash" brings both sides to `size`.

    `resample` is how: "bicubic" with antialiasing (torch's, in fixed point: Pillow's result within one grey level).
    The others are those of published loaders, all bilinear in float32 and cut off to whole levels; they only crop.
    "videogpt": without antialiasing, the long side rounded up (VideoGPT `data.py`); "cdfvd": the same with it (cd-fvd
    `data_utils.py`, its video files); "digan": the centre is cut out first, no antialiasing (DIGAN `dataset.py`).

    Raises:
        ValueError: a loader that only crops under "squash".
    """
    if resample != "bicubic" and resize != "crop":
        raise ValueError(f"resample={resample} crops: it cannot be used with resize={resize}")
    if frames.shape[1:3] != (size, size):
        if resample == "digan":
            frames = _centre(frames, min(frames.shape[1:3]))
        frames = _scaled(frames, size, resize, resample)
    return to_channels(_centre(frames, size), channels)


def to_channels(frames: np.ndarray, channels: int) -> np.ndarray:
    """(n, H, W, 3) uint8 -> (n, H, W, channels) uint8, contiguous; one channel is the luma of BT.601."""
    if channels == 1:
        luma = frames.astype(np.uint32) @ np.array([[299], [587], [114]], dtype=np.uint32)
        frames = ((luma + 500) // 1000).astype(np.uint8)
    return np.ascontiguousarray(frames)


def _scaled(frames: np.ndarray, size: int, resize: Resize, resample: Resample) -> np.ndarray:
    height, width = frames.shape[1:3]
    short = min(height, width)
    scaled = (size, size)
    if resample in ("videogpt", "cdfvd"):
        # the loaders' own float product: it decides what is rounded up, for some squares too (100 -> 225 of 224)
        factor = size / short
        scaled = (size, math.ceil(width * factor)) if height < width else (math.ceil(height * factor), size)
    elif resize == "crop" and resample == "bicubic":
        scaled = round(height * size / short), round(width * size / short)
    video = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    if resample == "bicubic":
        video = interpolate(video, size=scaled, mode="bicubic", antialias=True)
    elif resample == "digan":
        video = interpolate(video.float(), size=scaled, mode="bilinear", align_corners=False).to(torch.uint8)
    else:
        video = interpolate(
            video.float() / 255,
            size=scaled,
            mode="bilinear",
            align_corners=False,
            antialias=resample == "cdfvd",
        )
        video = (video * 255).to(torch.uint8)
    return video.permute(0, 2, 3, 1).numpy()


def _centre(frames: np.ndarray, size: int) -> np.ndarray:
    top, left = ((side - size) // 2 for side in frames.shape[1:3])
    return frames[:, top : top + size, left : left + size]
