"""Frames of any size -> frames of one size."""

import math
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import interpolate

Resize = Literal["crop", "squash", "letterbox"]
Resample = Literal["bicubic", "videogpt", "cdfvd", "digan"]


def to_square(
    frames: np.ndarray, *, size: int, channels: int, resize: Resize, resample: Resample = "bicubic"
) -> np.ndarray:
    """(n, H, W, 3) uint8 -> (n, size, size, channels) uint8. Frames of the right size are left alone.

    "crop" brings the short side to `size` and cuts out the centre; "squash" brings both sides to `size`; "letterbox"
    brings the long side there and puts black bars beside the short one.

    `resample` is how: "bicubic" with antialiasing (torch's, in fixed point: Pillow's result within one grey level).
    The others are those of published loaders, all bilinear in float32 and cut off to whole levels; they only crop.
    "videogpt": without antialiasing, the long side rounded up (VideoGPT `data.py`); "cdfvd": the same with it (cd-fvd
    `data_utils.py`, its video files); "digan": the centre is cut out first, no antialiasing (DIGAN `dataset.py`).

    Raises:
        ValueError: a loader that only crops under another `resize`.
    """
    check_resample(resample, resize)
    if resample == "bicubic":
        return to_frame(frames, frame=(size, size), channels=channels, resize=resize)
    if frames.shape[1:3] != (size, size):
        if resample == "digan":
            frames = _cut(frames, (min(frames.shape[1:3]),) * 2)
        frames = _as_published(frames, size, resample)
    return to_channels(_cut(frames, (size, size)), channels)


def check_resample(resample: Resample, resize: Resize) -> None:
    """ValueError unless the two go together."""
    if resample != "bicubic" and resize != "crop":
        raise ValueError(f"resample={resample} crops: it cannot be used with resize={resize}")


def to_frame(frames: np.ndarray, *, frame: tuple[int, int], channels: int, resize: Resize) -> np.ndarray:
    """(n, H, W, 3) uint8 -> (n, *frame, channels) uint8 for any height and width; bicubic, as `to_square`.

    "crop" keeps the aspect, covers `frame` and cuts out the centre; "letterbox" keeps it and fits into `frame`.
    """
    if frames.shape[1:3] != frame:
        height, width = frames.shape[1:3]
        wide = width * frame[0] >= height * frame[1]  # wider than the frame
        if resize == "squash":
            scaled = frame
        elif wide == (resize == "crop"):
            scaled = frame[0], max(1, round(width * frame[0] / height))
        else:
            scaled = max(1, round(height * frame[1] / width)), frame[1]
        video = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        video = interpolate(video, size=scaled, mode="bicubic", antialias=True)
        frames = video.permute(0, 2, 3, 1).numpy()
        frames = _padded(frames, frame) if resize == "letterbox" else _cut(frames, frame)
    return to_channels(frames, channels)


def to_channels(frames: np.ndarray, channels: int) -> np.ndarray:
    """(n, H, W, 3) uint8 -> (n, H, W, channels) uint8, contiguous; one channel is the luma of BT.601."""
    if channels == 1:
        luma = frames.astype(np.uint32) @ np.array([[299], [587], [114]], dtype=np.uint32)
        frames = ((luma + 500) // 1000).astype(np.uint8)
    return np.ascontiguousarray(frames)


def _as_published(frames: np.ndarray, size: int, resample: Resample) -> np.ndarray:
    height, width = frames.shape[1:3]
    scaled = (size, size)
    if resample in ("videogpt", "cdfvd"):
        # the loaders' own float product: it decides what is rounded up, for some squares too (100 -> 225 of 224)
        factor = size / min(height, width)
        scaled = (size, math.ceil(width * factor)) if height < width else (math.ceil(height * factor), size)
    video = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    if resample == "digan":
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


def _cut(frames: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """The centre."""
    top, left = ((side - wanted) // 2 for side, wanted in zip(frames.shape[1:3], frame, strict=True))
    return frames[:, top : top + frame[0], left : left + frame[1]]


def _padded(frames: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """In the centre of black."""
    top, left = ((wanted - side) // 2 for side, wanted in zip(frames.shape[1:3], frame, strict=True))
    canvas = np.zeros((len(frames), *frame, frames.shape[3]), np.uint8)
    canvas[:, top : top + frames.shape[1], left : left + frames.shape[2]] = frames
    return canvas
