"""A compact video network trained on a procedural world, beside fixed filters: for demos, tests and offline work.

It knows no natural pictures, so a distance between its features is `fvd/embedded`, never FVD. What it was taught, how
well it learnt it and how it answers to corruptions of real videos is in embedded.md beside this file.
"""

import hashlib
import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

from vgen.extractor.embedded_world import MOTIONS
from vgen.extractor.frames import check_pixels, small_frames
from vgen.extractor.random import Random, orthonormal_rows

WEIGHTS = Path(__file__).with_name("embedded.safetensors")
SHA256 = "c4d23afe398e562ee5ffea7e4687aa8bbb257c96e92d6baa1413c26d57749a19"

_VERSION = "embedded 5"  # part of the fingerprint: change it with anything in the code that changes a feature
_SIZE = 64
_LOW, _MIDDLE, _HIGH = 32, 64, 128  # channels of the stages
_HIDDEN = 192
_EACH = 96  # features of the network, and as many of the filters
_SHARE = 0.6  # of the filters beside those of the network
_LEAST = 12  # frames that the convolutions in time need to leave a few
_FLOOR = 0.02


class Embedded(nn.Module):
    """Clip -> "clip" (B, 192) and "logits" (B, 15), one per kind of motion.

    Half of the features are the trained network's, which notices slight damage and disorder, half those of the fixed
    space-time filters of `random`, which go on rising where the network has seen enough: random projections of 128
    and of 160, so that 256 clips a side suffice for a distance. The network's are whitened on procedural clips, so
    that no single one decides, and not bounded.

    Takes (B, T, H, W, C) uint8 with T >= 4 and C 1 or 3; frames are brought to 64x64 (bilinear, antialiased). About
    25 ms per clip of 16 frames on one core. Raises ValueError for other clips, or if the file of weights is not the
    one that belongs to this code. Source: ours, scripts/train_embedded.
    """

    name = "embedded"
    roles = ("clip", "logits")
    min_frames = 4

    of_network: Tensor
    of_filters: Tensor

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
        self.filters = Random()
        self.register_buffer("of_network", _projection(len(self.network.components)))
        self.register_buffer("of_filters", _SHARE * _projection(Random.dim))
        self.eval().requires_grad_(False)
        parts = f"{_VERSION}/{digest}/{self.filters.fingerprint}"
        self.fingerprint = hashlib.sha256(parts.encode()).hexdigest()

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> "clip" (B, 192), "logits" (B, 15), float32."""
        check_pixels(pixels, self.name, frames=self.min_frames)
        device = self.network.components.device
        # few clips at a time stay in the processor's cache
        part = 8 if device.type == "cpu" else 128
        made = [self._features(small_frames(clips.to(device), _SIZE)) for clips in pixels.split(part)]
        features, logits = (torch.cat(role) for role in zip(*made, strict=True))
        return {"clip": features, "logits": logits}

    def _features(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, 3, 64, 64) in [-1, 1] -> features and logits."""
        learnt, logits = self.network(frames.transpose(1, 2))
        fixed = self.filters.clip_features(frames)
        return torch.cat([learnt @ self.of_network, fixed @ self.of_filters], dim=1), logits


def _projection(inputs: int) -> Tensor:
    """(inputs, 96) with orthonormal columns, the same on every machine."""
    # the legacy generator: NumPy promises that its stream never changes
    rows = orthonormal_rows(np.random.RandomState(1).standard_normal((_EACH, inputs)))
    # coarse enough that the linear algebra of any machine gives the same bits
    return torch.from_numpy(np.round(rows.T * 4096) / 4096).float()


class Network(nn.Module):
    """(B, 3, T, 64, 64) in [-1, 1] -> features (B, 128) and logits of the kinds of motion (B, 15).

    A space-time stem sees frames and their normalised differences; three stages of (2+1)-D residual blocks (Tran et
    al. 2018, arXiv 1711.11248) follow, without normalisation. What is used is what every stage saw: the mean of each
    channel, as it is and in octaves, and in octaves how much it changes from frame to frame and over the clip; besides
    a 4x4 thumbnail, and how fast the clip changes. Early stages see noise, blur and blocks, changes over time see
    disorder; a deep stage alone would average both away.

    The network is trained through the code, on which all tasks are linear; the features are principal components of
    what was seen, so many of each group, scaled to about unit variance on clean and damaged procedural clips.
    """

    code_dim = 128
    # group -> (statistics, principal components)
    groups: ClassVar = {
        "stem": (4 * _LOW, 16),
        "low": (4 * _LOW, 24),
        "middle": (4 * _MIDDLE, 24),
        "high": (4 * _HIGH, 32),
        "look": (2 * 48, 16),
        "pace": (3 * 10, 16),
    }

    centre: Tensor
    components: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(24, _LOW, (2, 3, 3), (1, 2, 2), (0, 1, 1))
        self.low = _Residual(_LOW)
        self.middle = nn.Sequential(_Halve(_LOW, _MIDDLE), _Residual(_MIDDLE))
        self.high = nn.Sequential(_Halve(_MIDDLE, _HIGH), _Residual(_HIGH))
        statistics, features = (sum(sizes) for sizes in zip(*self.groups.values(), strict=True))
        self.scale = nn.BatchNorm1d(statistics, affine=False, eps=0.02)
        self.hidden = nn.Linear(statistics, _HIDDEN)
        self.project = nn.Linear(statistics + _HIDDEN, self.code_dim)
        self.motion = nn.Linear(self.code_dim, len(MOTIONS))
        self.register_buffer("centre", torch.zeros(statistics))
        self.register_buffer("components", torch.zeros(features, statistics))

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.see(video)
        return (seen - self.centre) @ self.components.T, self.motion(self.code(seen))

    def see(self, video: Tensor) -> Tensor:
        """(B, 3, T, 64, 64) -> the statistics of all groups (B, 1150), in order."""
        video = _turning_back(video)
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
        thumbnail = F.avg_pool3d(coarse, (1, 4, 4))
        seen.append(_look(_as_frames(thumbnail)))
        seen += [_paces(_as_frames(scale)) for scale in (video, coarse, thumbnail)]
        # what no clip of the world had goes on counting, but slowly
        return 2 * torch.asinh(self.scale(torch.cat(seen, dim=1)) / 2)

    def code(self, seen: Tensor) -> Tensor:
        """(B, 1150) -> (B, 128), on which the tasks of training are linear."""
        return self.project(torch.cat([seen, F.leaky_relu(self.hidden(seen), 0.1)], dim=1)).float()


class _Halve(nn.Module):
    """Wider, and half as large."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.space = nn.Conv3d(before, after, (1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.space(x).relu()


class _Residual(nn.Module):
    """x + time(relu(space(x))), rectified: (B, C, T, h, w) -> (B, C, T - 2, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.space = nn.Conv3d(channels, channels, (1, 3, 3), padding=(0, 1, 1))
        self.time = nn.Conv3d(channels, channels, (3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        # nothing is made up beyond the ends of a clip: two frames fewer
        return (x[:, :, 1:-1] + self.time(self.space(x).relu())).relu()


def _turning_back(video: Tensor) -> Tensor:
    """(B, C, T, h, w), a short clip played to and fro until it has `_LEAST` frames."""
    last = video.shape[2] - 1
    if last + 1 >= _LEAST:
        return video
    there = torch.arange(_LEAST, device=video.device) % (2 * last)
    return video[:, :, torch.where(there > last, 2 * last - there, there)]


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


def _as_frames(video: Tensor) -> Tensor:
    """(B, C, T, h, w) -> (B, T, C h w)."""
    return video.transpose(1, 2).flatten(2)


def _look(thumbnail: Tensor) -> Tensor:
    """(B, T, 48) -> (B, 96): the mean over time, and the size of changes about it in octaves."""
    mean = thumbnail.mean(dim=1)
    return torch.cat([mean, _octaves(_rms(thumbnail - mean[:, None], dim=1))], dim=1)


def _paces(frames: Tensor) -> Tensor:
    """(B, T, P) -> (B, 10): the sizes, in octaves, of five differences in time, each averaged in two ways.

    The differences are those over one frame, over two, over a quarter and half of the clip, and the second
    difference: order shows in their ratios. A single cut moves one average more, a stop the other.
    """
    length = frames.shape[1]
    once = frames[:, 1:] - frames[:, :-1]
    spans = [frames[:, span:] - frames[:, :-span] for span in (2, length // 4, length // 2)]
    found = []
    for difference in (once, once[:, 1:] - once[:, :-1], *spans):
        size = _rms(difference, dim=2)  # (B, frames)
        found += [_octaves(size).mean(dim=1), _octaves(size.mean(dim=1))]
    return torch.stack(found, dim=1)


def _rms(x: Tensor, *, dim: int) -> Tensor:
    return torch.linalg.vector_norm(x, dim=dim) / math.sqrt(x.shape[dim])


def _octaves(amplitude: Tensor) -> Tensor:
    return torch.log2(amplitude + _FLOOR)
