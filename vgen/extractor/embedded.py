"""A compact video network trained on a procedural world, inside the package: for demos, tests and offline work.

It knows no natural pictures, so a distance between its features is `fvd/embedded`, never FVD. What it was taught, how
well it learnt it and how it answers to corruptions of real videos is in embedded.md beside this file.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

from vgen.extractor.embedded_world import MOTIONS
from vgen.extractor.random import Random

WEIGHTS = Path(__file__).with_name("embedded.safetensors")
SHA256 = "25887c261db4629982d26165fa494b8bffda7fb5cb03b44020f4a53321c4bf06"

_VERSION = "embedded 3"  # part of the fingerprint: change it with anything in the code that changes a feature
_SIZE = 64
_LOW, _MIDDLE, _HIGH = 32, 64, 128  # channels of the stages
_HIDDEN = 192
_FLOOR = 0.02
_LEARNED = 64  # features taken of the trained network
_SHARE = 0.6  # their size beside the fixed filters' octaves


class Embedded(nn.Module):
    """Clip -> "clip" (B, 224) and "logits" (B, 15), one per kind of motion.

    Of the 224 features 64 are the trained network's (an orthonormal mixture of its 128, whitened on procedural clips),
    which tell content and kinds of motion apart, and 160 the fixed space-time filters of `random`, in octaves. Alone
    the network answers to little damage and soon has seen enough of it; the filters go on rising, so that worse clips
    are farther away. Fewer than about 256 clips a side are too few for a distance.

    Takes (B, T, H, W, C) uint8 with T >= 4 and C 1 or 3; frames are brought to 64x64 (bilinear, antialiased). About
    35 ms per clip of 16 frames on one core. Raises ValueError for other clips, or if the file of weights is not the
    one that belongs to this code. Source: ours, scripts/train_embedded.
    """

    name = "embedded"
    roles = ("clip", "logits")
    min_frames = 4

    mixture: Tensor

    def __init__(self) -> None:
        super().__init__()
        data = WEIGHTS.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest != SHA256:
            raise ValueError(
                f"{WEIGHTS} is damaged: its SHA-256 is {digest[:16]}..., not {SHA256[:16]}...; reinstall vgen"
            )
        self.network = Network()
        # half precision on disk, single in memory
        self.network.load_state_dict({name: value.float() for name, value in load(data).items()})
        self.filters = Random(seed=0)
        self.register_buffer("mixture", _mixture(), persistent=False)
        self.eval().requires_grad_(False)
        identity = f"{_VERSION}/{digest}/{self.filters.fingerprint}"
        self.fingerprint = hashlib.sha256(identity.encode()).hexdigest()

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> "clip" (B, 224), "logits" (B, 15), float32."""
        if pixels.shape[1] < self.min_frames:
            raise ValueError(
                f"the embedded extractor needs clips of at least {self.min_frames} frames, got {pixels.shape[1]}"
            )
        if pixels.shape[4] not in (1, 3):
            raise ValueError(f"the embedded extractor needs 1 or 3 channels, got {pixels.shape[4]}")
        device = self.network.project.weight.device
        # few clips at a time stay in the processor's cache
        part = 8 if device.type == "cpu" else 128
        parts = [self.network(prepare(clips.to(device))) for clips in pixels.split(part)]
        learned = torch.cat(parts)  # (B, 128)
        fixed = self.filters(pixels)["clip"]  # (B, 160)
        features = torch.cat([_SHARE * learned @ self.mixture, fixed], dim=1)
        return {"clip": features, "logits": self.network.motion(learned)}


def _mixture() -> Tensor:
    """(128, 64) with orthonormal columns, the same bits on every machine."""
    q, r = np.linalg.qr(np.random.RandomState(1).standard_normal((Network.dim, _LEARNED)))
    return torch.from_numpy(np.round(q * np.sign(np.diag(r)) * 4096) / 4096).float()


def prepare(pixels: Tensor) -> Tensor:
    """(B, T, H, W, C) uint8 -> (B, 3, T, 64, 64) in [-1, 1]; grey clips in all three channels."""
    clips, frames = pixels.shape[:2]
    video = pixels.permute(0, 1, 4, 2, 3).float().div_(127.5).sub_(1).flatten(0, 1)
    if video.shape[-2:] != (_SIZE, _SIZE):
        video = F.interpolate(video, (_SIZE, _SIZE), mode="bilinear", align_corners=False, antialias=True)
    return video.expand(-1, 3, -1, -1).unflatten(0, (clips, frames)).transpose(1, 2)


class Network(nn.Module):
    """(B, 3, T, 64, 64) in [-1, 1] -> 128 features.

    A space-time stem sees frames and their normalised differences; three stages of (2+1)-D residual blocks (Tran et
    al. 2018, arXiv 1711.11248) follow, without normalisation. Read out, linearly and beside that by a small hidden
    layer, is what every stage saw: the mean of each channel, as it is and in octaves, and in octaves how much it
    changes from frame to frame and over the clip; besides a 4x4 thumbnail, and how fast the clip changes at three
    scales. Early stages see noise, blur and blocks, changes over time see disorder; a deep stage alone would average
    both away.
    """

    dim = 128

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(24, _LOW, (2, 3, 3), (1, 2, 2), (0, 1, 1))
        self.low = _Residual(_LOW)
        self.middle = nn.Sequential(_Halve(_LOW, _MIDDLE), _Residual(_MIDDLE))
        self.high = nn.Sequential(_Halve(_MIDDLE, _HIGH), _Residual(_HIGH))
        statistics = 4 * (2 * _LOW + _MIDDLE + _HIGH) + 2 * 48 + 3 * 12
        self.scale = nn.BatchNorm1d(statistics, affine=False, eps=0.02)
        self.hidden = nn.Linear(statistics, _HIDDEN)
        self.project = nn.Linear(statistics + _HIDDEN, self.dim)
        self.motion = nn.Linear(self.dim, len(MOTIONS))

    def forward(self, video: Tensor) -> Tensor:
        """(B, 3, T, 64, 64) -> (B, 128) float32."""
        frames = F.pixel_unshuffle(video.transpose(1, 2).flatten(0, 1), 2)  # (B T, 12, 32, 32)
        frames = frames.unflatten(0, (len(video), -1)).transpose(1, 2)
        steps = frames[:, :, 1:] - frames[:, :, :-1]
        # a faint motion is a motion too, and a sudden one no more than that; how large they are is kept apart
        pace = _rms(steps.flatten(1), dim=1)[:, None, None, None, None]
        steps = steps / (2 * pace + steps.abs() / 4 + _FLOOR)
        x = torch.cat([frames[:, :, 1:], steps], dim=1)  # (B, 24, T - 1, 32, 32)
        x = self.stem(x.contiguous(memory_format=torch.channels_last_3d)).relu()  # (B, 32, T - 2, 16, 16)
        seen = [_statistics(x)]
        for stage in (self.low, self.middle, self.high):
            x = stage(x)
            seen.append(_statistics(x))
        coarse = F.avg_pool3d(video, (1, 4, 4))
        thumbnail = F.avg_pool3d(coarse, (1, 4, 4)).transpose(1, 2).flatten(2)  # (B, T, 48)
        mean = thumbnail.mean(dim=1)
        seen += [mean, _octaves(_rms(thumbnail - mean[:, None], dim=1))]
        seen += [
            _paces(level)
            for level in (video.transpose(1, 2).flatten(2), coarse.transpose(1, 2).flatten(2), thumbnail)
        ]
        # what no clip of the world had goes on counting, but slowly
        found = 2 * torch.asinh(self.scale(torch.cat(seen, dim=1)) / 2)
        return self.project(torch.cat([found, F.leaky_relu(self.hidden(found), 0.1)], dim=1)).float()


class _Halve(nn.Module):
    """Wider, and half as large."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.space = nn.Conv3d(before, after, (1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.space(x).relu()


class _Residual(nn.Module):
    """x + time(relu(space(x))), rectified."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.space = nn.Conv3d(channels, channels, (1, 3, 3), padding=(0, 1, 1))
        self.time = nn.Conv3d(channels, channels, (3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        seen = self.space(x).relu()
        # the first and the last frame go on: that a clip ends is no event
        seen = torch.cat([seen[:, :, :1], seen, seen[:, :, -1:]], dim=2)
        return (x + self.time(seen)).relu()


def _statistics(x: Tensor) -> Tensor:
    """(B, C, T, h, w), not negative -> (B, 4 C): means, as they are and in octaves, and the sizes of changes in time.

    Changes are those of each place from frame to frame, and of a frame's mean over the clip.
    """
    x = x.permute(0, 2, 3, 4, 1)  # as it lies in memory
    frames = x.mean(dim=(2, 3)).float()  # (B, T, C)
    mean = frames.mean(dim=1)
    steps = (x[:, 1:] - x[:, :-1]).abs().mean(dim=(1, 2, 3)).float()
    sizes = mean, steps, _rms(frames - mean[:, None], dim=1)
    return torch.cat([mean, *(_octaves(size) for size in sizes)], dim=1)


def _paces(frames: Tensor) -> Tensor:
    """(B, T, P) -> (B, 12): of the sizes, in octaves, of three differences in time their mean, spread, and extremes.

    The differences are those over one frame and over two, and the second difference: order shows in their ratios.
    """
    once = frames[:, 1:] - frames[:, :-1]
    paces = once, frames[:, 2:] - frames[:, :-2], once[:, 1:] - once[:, :-1]
    found = []
    for pace in paces:
        size = _octaves(_rms(pace, dim=2))  # (B, T - 1) or (B, T - 2)
        mean = size.mean(dim=1)
        found += [mean, _rms(size - mean[:, None], dim=1), size.amax(dim=1) - mean, size.amin(dim=1) - mean]
    return torch.stack(found, dim=1)


def _rms(x: Tensor, *, dim: int) -> Tensor:
    return torch.linalg.vector_norm(x, dim=dim) / math.sqrt(x.shape[dim])


def _octaves(amplitude: Tensor) -> Tensor:
    return torch.log2(amplitude + _FLOOR)
