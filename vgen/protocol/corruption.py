"""Graded corruptions of real clips: what a metric has to notice, in space and in time.

Level 0 is the clip itself. A higher level of one kind is the lower one continued: the same noise scaled, the same
cycle of frames extended, the same offsets enlarged. Whether a metric answers monotonically is then a matter of the
metric, not of luck in sampling. Spatial corruptions treat every frame alike and leave the order of frames;
temporal ones only choose, order and shift whole frames of real clips.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen import rng
from vgen.protocol.contract import ClipSet

Family = Literal["spatial", "temporal"]


@dataclass(frozen=True)
class Corruption:
    """One way to damage a clip.

    Attributes:
        name: its key in `CORRUPTIONS`.
        family: "spatial" (frames are worse pictures) or "temporal" (good pictures in a wrong order or place).
        unit: what a level measures.
        levels: graded strengths to try, increasing, each above 0.
        most: the largest level that means anything.
        damage: (clip (T, H, W, C) uint8, partner of the same shape, level, rng) -> clip; level is above 0.
    """

    name: str
    family: Family
    unit: str
    levels: tuple[float, ...]
    most: float
    damage: Callable[[Tensor, Tensor, float, torch.Generator], Tensor]


def corrupt(
    pixels: Tensor,
    kind: str,
    level: float,
    *,
    index: Sequence[int],
    others: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """Clips damaged by `kind` at `level`; a clip's damage follows from (seed, kind, its index) alone.

    Args:
        pixels: (B, T, H, W, C) uint8.
        kind: a key of `CORRUPTIONS`.
        level: in the unit of that corruption; 0 gives the clips themselves.
        index: the number (B,) of each clip in its set.
        others: (B, T, H, W, C) uint8, for each clip the one that `splice` joins it to; other kinds need none.
        seed: of the random draws.

    Returns:
        (B, T, H, W, C) uint8, a new tensor.

    Raises:
        ValueError: an unknown kind, a level out of range, no or ill-shaped `others` for a splice.
    """
    if kind not in CORRUPTIONS:
        raise ValueError(f"no corruption {kind!r}; choose from {', '.join(CORRUPTIONS)}")
    corruption = CORRUPTIONS[kind]
    if not 0 <= level <= corruption.most:
        raise ValueError(
            f"{kind} at level {level:g} is out of range; give 0 to {corruption.most:g} ({corruption.unit})"
        )
    if len(index) != len(pixels):
        raise ValueError(f"{len(pixels)} clips but {len(index)} indices; give each clip its number")
    if kind == "splice" and others is None:
        raise ValueError("splice joins two clips; give the other clips as `others`")
    others = pixels if others is None else others
    if others.shape != pixels.shape:
        raise ValueError(
            f"clips {tuple(pixels.shape)} and others {tuple(others.shape)} differ; splice needs equal shapes"
        )
    if level == 0 or not len(pixels):
        return pixels.clone()
    damaged = [
        corruption.damage(clip, other, level, rng.generator(seed, "corruption", kind, i))
        for clip, other, i in zip(pixels, others, index, strict=True)
    ]
    return torch.stack(damaged)


class CorruptedClips:
    """A set of clips with each clip damaged: a ClipSet around a ClipSet, of the same order and labels.

    `splice` joins clip i to clip i + N // 2 (modulo N): far away in a set that is sorted by video or class.
    """

    def __init__(self, clips: ClipSet, *, kind: str, level: float, seed: int = 0) -> None:
        # an unknown kind or level is refused before any clip is read
        corrupt(torch.zeros(0, 1, 1, 1, 1, dtype=torch.uint8), kind, level, index=[], others=_NO_CLIPS)
        if kind == "splice" and len(clips) < 2:
            raise ValueError(f"splice joins two clips; the set has {len(clips)}")
        self.clips = clips
        self.kind = kind
        self.level = level
        self.seed = seed
        damage = {"kind": kind, "level": level, "seed": seed, "revision": REVISION}
        self.identity: dict[str, Any] = {"corruption": damage, "clips": clips.identity}
        self.info: dict[str, Any] = {**clips.info, "corruption": damage}
        self.labels = clips.labels

    def __len__(self) -> int:
        return len(self.clips)

    def read(self, indices: Sequence[int]) -> Tensor:
        """Clips number `indices`, damaged: (b, T, H, W, C) uint8."""
        others = None
        if self.kind == "splice":
            total = len(self.clips)
            others = self.clips.read([(i + total // 2) % total for i in indices])
        return corrupt(
            self.clips.read(indices), self.kind, self.level, index=indices, others=others, seed=self.seed
        )


def _noise(clip: Tensor, _: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """Independent Gaussian noise on every value of every frame."""
    noise = torch.randn(clip.shape, generator=rng).to(clip.device)
    return _to_bytes(clip + level * noise)


def _blur(clip: Tensor, _: Tensor, level: float, __: torch.Generator) -> Tensor:
    """A Gaussian blur of every frame, by its border pixels continued."""
    sigma = level * min(clip.shape[1:3])
    reach = max(1, round(4 * sigma))
    kernel = torch.arange(-reach, reach + 1, device=clip.device).square().div(-2 * sigma**2).exp()
    kernel = kernel / kernel.sum()
    frames = clip.permute(0, 3, 1, 2).flatten(0, 1)[:, None].float()  # (T C, 1, H, W)
    frames = F.pad(frames, (reach, reach, reach, reach), mode="replicate")
    frames = F.conv2d(F.conv2d(frames, kernel[None, None, None]), kernel[None, None, :, None])
    return _to_bytes(frames.reshape(clip.permute(0, 3, 1, 2).shape).permute(0, 2, 3, 1))


def _blocks(clip: Tensor, _: Tensor, level: float, __: torch.Generator) -> Tensor:
    """Every frame replaced by the means of square cells, as in pixelation or the coarsest compression."""
    height, width = clip.shape[1:3]
    side = max(1.0, level * min(height, width))
    cells = max(1, round(height / side)), max(1, round(width / side))
    frames = F.adaptive_avg_pool2d(clip.permute(0, 3, 1, 2).float(), cells)
    return _to_bytes(F.interpolate(frames, (height, width), mode="nearest-exact").permute(0, 2, 3, 1))


def _shuffle(clip: Tensor, _: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """A share of the frames, at random places, passed on in a random cycle: all of these leave their place."""
    frames = len(clip)
    count = min(frames, max(2, round(level * frames)))
    moved = torch.randperm(frames, generator=rng)[:count]
    source = torch.arange(frames)
    source[moved] = moved.roll(1)
    return clip[source]


def _freeze(clip: Tensor, _: Tensor, level: float, __: torch.Generator) -> Tensor:
    """The last frames replaced by the one before them: the video hangs."""
    repeated = round(level * (len(clip) - 1))
    return clip[torch.arange(len(clip)).clamp(max=len(clip) - 1 - repeated)]


def _jitter(clip: Tensor, _: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """Every frame displaced by its own whole number of pixels, its border pixels continued; nothing is blurred."""
    frames, height, width = clip.shape[:3]
    offsets = (level * min(height, width) * torch.randn(frames, 2, generator=rng)).round().long()
    down, across = offsets.to(clip.device).unbind(dim=1)
    rows = (torch.arange(height, device=clip.device) + down[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width, device=clip.device) + across[:, None]).clamp(0, width - 1)
    time = torch.arange(frames, device=clip.device)[:, None, None]
    return clip[time, rows[:, :, None], columns[:, None, :]]


def _speed(clip: Tensor, _: Tensor, level: float, __: torch.Generator) -> Tensor:
    """Played `1 + level` times as fast; near its end the clip turns and runs backwards over the same frames."""
    factor = 1 + level
    turn = int((len(clip) - 1) / factor)
    if turn == 0:
        return clip[:1].expand_as(clip)
    there = torch.arange(len(clip)) % (2 * turn)
    return clip[(torch.where(there > turn, 2 * turn - there, there) * factor).round().long()]


def _splice(clip: Tensor, other: Tensor, level: float, _: torch.Generator) -> Tensor:
    """The last frames taken from another clip, at their own times: one cut."""
    kept = len(clip) - max(1, round(level * len(clip)))
    return torch.cat([clip[:kept], other[kept:]])


def _to_bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


REVISION = 1  # part of the identity of corrupted clips: raise it when a corruption changes

CORRUPTIONS: dict[str, Corruption] = {
    corruption.name: corruption
    for corruption in (
        Corruption("noise", "spatial", "standard deviation in grey levels", (5, 10, 20, 40), 255, _noise),
        Corruption(
            "blur", "spatial", "sigma as a share of the shorter side", (0.01, 0.02, 0.04, 0.08), 0.5, _blur
        ),
        Corruption(
            "blocks",
            "spatial",
            "side of a cell as a share of the shorter side",
            (1 / 32, 1 / 16, 1 / 8, 1 / 4),
            1,
            _blocks,
        ),
        Corruption(
            "shuffle",
            "temporal",
            "share of the frames that change places",
            (0.125, 0.25, 0.5, 1),
            1,
            _shuffle,
        ),
        Corruption(
            "freeze", "temporal", "share of the steps that stand still", (0.25, 0.5, 0.75, 1), 1, _freeze
        ),
        Corruption(
            "jitter",
            "temporal",
            "standard deviation of a frame's place as a share of the shorter side",
            (0.01, 0.02, 0.04, 0.08),
            0.5,
            _jitter,
        ),
        Corruption(
            "speed", "temporal", "how much faster, as a share of the speed", (0.5, 1, 2, 3), 15, _speed
        ),
        Corruption(
            "splice",
            "temporal",
            "share of the frames from another clip",
            (1 / 16, 1 / 8, 1 / 4, 1 / 2),
            0.5,
            _splice,
        ),
    )
}
_NO_CLIPS = torch.zeros(0, 1, 1, 1, 1, dtype=torch.uint8)
