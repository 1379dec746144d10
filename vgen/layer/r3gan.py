"""R3GAN's building blocks, for frames and for clips: no normalisation, fix-up initialisation.

Source: Huang et al. 2024, arXiv 2501.05441, §4 and appendix, and brownvc/R3GAN: R3GAN/Networks.py. For clips each
grouped 3x3 convolution in space is followed by a grouped one of three frames in time, which nobody has published.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.layer.pyramid import doublings
from vgen.layer.resample import double, halve

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the variance through a leaky ReLU (He et al. 2015)


class PositionLinear(nn.Linear):
    """1x1 convolution of frames (N, C, H, W) or clips (B, C, T, H, W); `gain` as in `fix_up`.

    A matrix product, whose second derivatives are matrix products.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False, gain: float = 1.0):
        super().__init__(inputs, outputs, bias=bias)
        fix_up(self, gain)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class SpaceConv(nn.Conv2d):
    """Grouped 3x3 convolution of frames (N, C, H, W) or of each frame of clips (B, C, T, H, W)."""

    def __init__(self, channels: int, groups: int, *, gain: float):
        super().__init__(channels, channels, 3, padding=1, groups=groups)
        fix_up(self, gain)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() == 4:
            return super().forward(input)
        frames = super().forward(input.transpose(1, 2).flatten(0, 1))  # no copy where channels lie last
        return frames.unflatten(0, (len(input), -1)).transpose(1, 2)


class TimeConv(nn.Conv2d):
    """Grouped convolution over three neighbouring frames of clips (B, C, T, H, W)."""

    def __init__(self, channels: int, groups: int, *, gain: float):
        super().__init__(channels, channels, (3, 1), padding=(1, 0), groups=groups)
        fix_up(self, gain)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(3, 4)).unflatten(3, input.shape[3:])


class ResidualBlock(nn.Module):
    """x + 1x1(act(grouped 3x3(act(1x1(x))))), for clips with a grouped convolution over time after the 3x3 one.

    The last layer starts at 0, the others with the gain GAIN * blocks^(-1 / (2 m - 2)), m layers in the block (fix-up,
    Zhang et al. 2019), so that no depth changes the variance and no norm is needed. `act` adds a learned bias and is
    a leaky ReLU.

    Args:
        channels: in and out.
        blocks: of the whole network.
        expansion: of the inner width.
        group_width: inner channels that a group sees (16 in the paper's networks for FFHQ and CIFAR-10).
        clips: x is (B, C, T, H, W) instead of (N, C, H, W).
    """

    def __init__(self, channels: int, *, blocks: int, expansion: int, group_width: int, clips: bool):
        super().__init__()
        inner = channels * expansion
        groups = group_count(inner, group_width)
        gain = GAIN * blocks ** (-1 / (6 if clips else 4))
        hidden = [PositionLinear(channels, inner, bias=True, gain=gain), SpaceConv(inner, groups, gain=gain)]
        if clips:
            hidden.append(TimeConv(inner, groups, gain=gain))
        # Not in place: the layers give views, and autograd copies a view that is written to.
        layers = [part for layer in hidden for part in (layer, nn.LeakyReLU(SLOPE))]
        self.layers = nn.Sequential(*layers, PositionLinear(inner, channels, gain=0.0))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Resample(nn.Module):
    """Doubles or halves frames, and with `time` also their number, and changes the width where it differs.

    The convolution works on the smaller maps: before doubling, after halving.
    """

    def __init__(self, inputs: int, outputs: int, *, up: bool, time: bool = False):
        super().__init__()
        self.up = up
        self.time = time
        self.width = nn.Identity() if inputs == outputs else PositionLinear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.width(x) if self.up else x
        change = double if self.up else halve
        x = x.movedim(1, -1)  # (..., H, W, C): the result lies in memory with channels last
        if self.time:
            # Zeros before the first frame would fade it in.
            x = change(x, 1, continued=True)
        x = change(change(x, x.dim() - 3), x.dim() - 2).movedim(-1, 1)
        return x if self.up else self.width(x)


class ToPixels(nn.Module):
    """x (N, C, [T,] H, W) -> (N, channels, [T,] patch H, patch W), linear: each position paints a patch.

    `gain` as in `fix_up`.
    """

    def __init__(self, inputs: int, channels: int, patch: int = 1, *, gain: float = 1.0):
        super().__init__()
        self.patch = patch
        self.linear = PositionLinear(inputs, channels * patch**2, gain=gain)

    def forward(self, x: Tensor) -> Tensor:
        painted = self.linear(x)
        if self.patch == 1:
            return painted
        return F.pixel_shuffle(painted.movedim(1, -3), self.patch).movedim(-3, 1)


class FromPixels(nn.Module):
    """Frames or clips (N, channels, [T,] H, W) -> (N, outputs, [T,] H / patch, W / patch), linear."""

    def __init__(self, channels: int, outputs: int, patch: int = 1):
        super().__init__()
        self.patch = patch
        self.linear = PositionLinear(channels * patch**2, outputs)

    def forward(self, video: Tensor) -> Tensor:
        if self.patch > 1:
            video = F.pixel_unshuffle(video.movedim(1, -3), self.patch).movedim(-3, 1)
        return self.linear(video)


class Basis(nn.Module):
    """Code (N, Z) -> (N, C, *shape): learned maps, N(0, 1) at first, each scaled by a linear function of the code."""

    def __init__(self, code_dim: int, channels: int, shape: Sequence[int]):
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *shape))
        self.scale = fix_up(nn.Linear(code_dim, channels, bias=False), 1.0)

    def forward(self, code: Tensor) -> Tensor:
        return self.maps * self.scale(code).view(len(code), -1, *(1 for _ in self.maps.shape[1:]))


class CodeScale(nn.Module):
    """x (N, C, ...), code (N, Z) -> x, each channel times 1 + a linear function of the code; `gain` as in `fix_up`."""

    def __init__(self, code_dim: int, channels: int, *, gain: float):
        super().__init__()
        self.linear = fix_up(nn.Linear(code_dim, channels, bias=False), gain)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        factors = 1 + self.linear(code)
        return x * factors.view(*factors.shape, *(1 for _ in x.shape[2:]))


class Verdict(nn.Module):
    """x (N, C, *shape) -> (N, outputs): each channel against a learned map, then a linear layer."""

    def __init__(self, channels: int, outputs: int, shape: Sequence[int]):
        super().__init__()
        spread = 1 / math.sqrt(math.prod(shape))
        self.maps = nn.Parameter(torch.randn(channels, *shape) * spread)
        self.linear = fix_up(nn.Linear(channels, outputs, bias=False), 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear((x * self.maps).flatten(2).sum(2))


def stages(
    widths: Sequence[int],
    lengths: Sequence[int] | None = None,
    *,
    up: bool,
    blocks: int,
    expansion: int,
    group_width: int,
) -> nn.Sequential:
    """The trunk of a generator (`up`) or a discriminator: `blocks` residual blocks per stage, resampling between.

    Args:
        widths: channels of each stage, in the order of the data.
        lengths: frames of a clip in each stage; None for a network of single frames.

    Raises ValueError for less than one block, expansion or group_width.
    """
    for name, value in {"blocks": blocks, "expansion": expansion, "group_width": group_width}.items():
        if value < 1:
            raise ValueError(f"{name}={value}: must be at least 1")
    clips = lengths is not None
    total = blocks * len(widths)

    def stage(width: int) -> list[nn.Module]:
        settings = {"blocks": total, "expansion": expansion, "group_width": group_width, "clips": clips}
        return [ResidualBlock(width, **settings) for _ in range(blocks)]

    layers = stage(widths[0])
    for i, (before, after) in enumerate(pairwise(widths)):
        time = lengths is not None and lengths[i] != lengths[i + 1]
        layers += [Resample(before, after, up=up, time=time), *stage(after)]
    return nn.Sequential(*layers)


def clip_lengths(frames: int, count: int) -> list[int]:
    """Frames of a clip in each of `count` stages of a generator, from the 4x4 map outwards.

    Time doubles in the first stages, where frames are small, so that all later ones see every frame: 16 frames of
    64x64 grow as 2, 4, 8, 16, 16. It starts from at least 2 frames, more where the number is odd.
    """
    lengths = [frames]
    while len(lengths) < count and lengths[0] % 2 == 0 and lengths[0] > 2:
        lengths.insert(0, lengths[0] // 2)
    return lengths + [frames] * (count - len(lengths))


def stage_count(size: int, patch: int) -> int:
    """How many stages lead from the 4x4 map to frames of `size` painted in patches; ValueError where none do."""
    if patch not in (1, 2, 4):
        raise ValueError(f"patch={patch}: a position paints 1, 2x2 or 4x4 pixels (patch=1, 2 or 4)")
    count = doublings(size) + 2 - patch.bit_length()
    if count < 1:
        raise ValueError(f"patch={patch} is too large for clip.size={size}; set patch={patch // 2}")
    return count


def group_count(channels: int, group_width: int) -> int:
    """How many groups of about `group_width` divide `channels`."""
    groups = max(channels // group_width, 1)
    while channels % groups:
        groups -= 1
    return groups


def fix_up(layer: Layer, gain: float) -> Layer:
    """`layer` with weights N(0, gain / sqrt(inputs of one output)); 0 with gain 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    return layer
