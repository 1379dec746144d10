"""What the extractors of published networks do to pixels before the network: to RGB floats, to its size."""

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Kernel = Literal["torch", "tf1", "corners", "bicubic"]
Fit = Literal["squash", "crop"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def check_pixels(pixels: Tensor, name: str, *, frames: int, every: int = 1) -> None:
    """Raise ValueError unless pixels (B, T, H, W, C) have `frames` or more, a multiple of `every`, and C 1 or 3."""
    found, channels = pixels.shape[1], pixels.shape[4]
    if found < frames:
        raise ValueError(f"the {name} extractor needs clips of at least {frames} frames, got {found}")
    if found % every:
        raise ValueError(f"the {name} extractor needs clips of a multiple of {every} frames, got {found}")
    if channels not in (1, 3):
        raise ValueError(f"the {name} extractor needs 1 or 3 channels, got {channels}")


def check_choice(extractor: str, key: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        named = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{key}={value!r} of the {extractor} extractor is unknown; choose one of {named}")


def small_frames(pixels: Tensor, size: int) -> Tensor:
    """(B, T, H, W, C) uint8 -> (B, T, 3, size, size) in [-1, 1], antialiased; grey in all three channels."""
    clips = len(pixels)
    frames = pixels.permute(0, 1, 4, 2, 3).float().div_(127.5).sub_(1).flatten(0, 1)
    if frames.shape[-2:] != (size, size):
        frames = F.interpolate(frames, (size, size), mode="bilinear", align_corners=False, antialias=True)
    return frames.expand(-1, 3, -1, -1).unflatten(0, (clips, -1))


def rgb_frames(pixels: Tensor) -> Tensor:
    """(B, T, H, W, C) uint8 -> (B T, 3, H, W) float32 in 0..255; grey becomes three equal channels."""
    return pixels.flatten(0, 1).permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1)


def fit_frames(frames: Tensor, size: int, *, kernel: Kernel = "torch", fit: Fit = "squash") -> Tensor:
    """Frames (N, C, H, W) float -> (N, C, size, size), values not rounded.

    Args:
        kernel: bilinear without antialiasing: "torch" with half-pixel centres, "tf1" without (TensorFlow 1's
            `resize_bilinear`: output i lies at i * before / after), "corners" with the corners of both grids in the
            same place (Chainer). "bicubic" has antialiasing and keeps within 0..255, as Pillow does.
        fit: of other than square frames: "squash", or "crop" (short side to `size`, then the centre).
    """
    height, width = frames.shape[-2:]
    scaled = (size, size)
    if fit == "crop":
        # VideoGPT's float product decides what is rounded up: its 100x100 becomes 225x224 before the centre is cut out
        factor = size / min(height, width)
        scaled = (size, math.ceil(width * factor)) if height < width else (math.ceil(height * factor), size)
    if scaled != (height, width):
        if kernel == "tf1":
            rows, columns = (
                _tf1_bilinear(n, m).to(frames) for n, m in zip((height, width), scaled, strict=True)
            )
            frames = rows @ frames @ columns.T
        elif kernel == "bicubic":
            frames = F.interpolate(frames, scaled, mode="bicubic", antialias=True).clamp(0, 255)
        else:
            frames = F.interpolate(frames, scaled, mode="bilinear", align_corners=kernel == "corners")
    top, left = ((n - size) // 2 for n in scaled)
    return frames[..., top : top + size, left : left + size]


def standardized(frames: Tensor) -> Tensor:
    """Frames (N, 3, H, W) in 0..255 -> x/255, minus ImageNet's mean, over its standard deviation."""
    mean, std = (frames.new_tensor(values)[:, None, None] for values in (_MEAN, _STD))
    return (frames / 255 - mean) / std


def in_parts(
    pixels: Tensor, device: torch.device, compute: Callable[[Tensor], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """`compute` on parts of one size on `device`, the last one filled up: features then depend on no other clip.

    Two clips at a time on a CPU, where more are no faster and of a single one some convolutions are slow; eight on a
    GPU.
    """
    size = 2 if device.type == "cpu" else 8
    found: list[dict[str, Tensor]] = []
    for part in pixels.split(size):
        missing = size - len(part)
        clips = torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
        features = compute(clips.to(device))
        found.append({role: values[: len(part)].float() for role, values in features.items()})
    return {role: torch.cat([features[role] for features in found]) for role in found[0]}


def fingerprint(*parts: str, **options: Any) -> str:
    """64 hex digits of everything that decides features: hashes of files and the options that move numbers."""
    text = json.dumps([*parts, options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _tf1_bilinear(before: int, after: int) -> Tensor:
    """(after, before) matrix of the resize."""
    at = torch.arange(after, dtype=torch.float64) * before / after
    low = at.floor().long()
    high = (low + 1).clamp(max=before - 1)
    share = (at - low)[:, None]
    return (1 - share) * F.one_hot(low, before) + share * F.one_hot(high, before)
