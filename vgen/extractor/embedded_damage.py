"""The damage that the embedded extractor was taught to notice, and to measure, while it learnt its world.

Broader than what it is tested with (`vgen.protocol.corruption`): more variants of each kind, mixed strengths.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

TAUGHT = ("noise", "blur", "blocks", "holes", "shuffle", "freeze", "jitter", "splice")

Draw = Callable[[float, float], float]


def degrade(video: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each clip of (B, 3, T, 64, 64) in [0, 1] damaged in one way of `TAUGHT`, and how much: (B, 8), 0 for the others.

    Measures are logarithmic where the damage spans octaves, else linear, and about 1 for damage of middling strength.
    """
    video, measures = video.clone(), torch.zeros(len(video), len(TAUGHT))
    partner = torch.roll(video, 1, dims=0)
    kinds = torch.randint(len(TAUGHT), (len(video),), generator=rng).tolist()
    for i, kind in enumerate(kinds):
        damage = DAMAGES[TAUGHT[kind]]
        video[i], measures[i, kind] = damage(video[i].clone(), partner[i], _uniform_of(rng), rng)
    return video, measures


def _uniform_of(rng: torch.Generator) -> Draw:
    return lambda low, high: low + (high - low) * float(torch.rand((), generator=rng))


def _noise(clip: Tensor, _: Tensor, draw: Draw, rng: torch.Generator) -> tuple[Tensor, float]:
    deviation = 2 ** draw(1, 5.8)  # grey levels
    variant = draw(0, 1)
    shape = list(clip.shape)
    if variant < 0.15:
        shape[0] = 1  # of the luma
    elif variant < 0.25:
        shape[1] = 1  # the same in all frames
    noise = torch.randn(shape, generator=rng)
    if 0.25 < variant < 0.35:  # salt and pepper
        share = (deviation / 110) ** 2
        clip = torch.where(noise > _quantile(1 - share / 2), 1.0, clip)
        return torch.where(noise < -_quantile(1 - share / 2), 0.0, clip), math.log2(1 + deviation / 4) / 2
    return (clip + deviation / 255 * noise).clamp(0, 1), math.log2(1 + deviation / 4) / 2


def _quantile(share: float) -> float:
    return math.sqrt(2) * float(torch.erfinv(torch.tensor(2 * share - 1)))


def _blur(clip: Tensor, _: Tensor, draw: Draw, __: torch.Generator) -> tuple[Tensor, float]:
    sigma = 2 ** draw(-1.3, 2.6)  # pixels
    reach = math.ceil(3 * sigma)
    kernel = torch.arange(-reach, reach + 1).square().div(-2 * sigma**2).exp()
    kernel = kernel / kernel.sum()
    if draw(0, 1) < 0.2:  # down and up again
        side = max(4, round(64 / (1 + 2 * sigma)))
        small = F.interpolate(clip, (side, side), mode="bilinear", antialias=True)
        return F.interpolate(small, (64, 64), mode="bilinear"), math.log2(1 + sigma / 0.5) / 1.5
    padded = F.pad(clip.flatten(0, 1)[:, None], (reach,) * 4, mode="replicate")
    blurred = F.conv2d(F.conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None])
    return blurred.reshape(clip.shape), math.log2(1 + sigma / 0.5) / 1.5


def _blocks(clip: Tensor, _: Tensor, draw: Draw, __: torch.Generator) -> tuple[Tensor, float]:
    if draw(0, 1) < 0.4:  # coarse quantisation of 8 x 8 cosine transforms
        step = 2 ** draw(4, 8) / 255
        basis = _cosines()
        cells = clip.unflatten(3, (8, 8)).unflatten(2, (8, 8)).transpose(3, 4)  # (3, T, 8, 8, 8, 8)
        found = basis @ cells @ basis.T
        found = (found / step).round() * step
        cells = basis.T @ found @ basis
        return cells.transpose(3, 4).flatten(4, 5).flatten(2, 3).clamp(0, 1), math.log2(step * 255 / 8) / 3
    cell = int(2 ** draw(1, 4.5))
    count = max(2, round(64 / cell))
    return F.interpolate(F.adaptive_avg_pool2d(clip, count), 64, mode="nearest-exact"), math.log2(cell) / 2


def _cosines() -> Tensor:
    at, wave = torch.arange(8)[None], torch.arange(8)[:, None]
    basis = torch.cos(math.pi / 8 * (at + 0.5) * wave) / 2
    basis[0] /= math.sqrt(2)
    return basis


def _holes(clip: Tensor, _: Tensor, draw: Draw, rng: torch.Generator) -> tuple[Tensor, float]:
    count = int(draw(1, 6))
    covered = torch.zeros(64, 64, dtype=torch.bool)
    for _hole in range(count):
        side = int(draw(4, 22))
        top, left = int(draw(0, 64 - side)), int(draw(0, 64 - side))
        covered[top : top + side, left : left + side] = True
    colour = torch.rand(3, 1, 1, 1, generator=rng) if draw(0, 1) < 0.3 else torch.zeros(3, 1, 1, 1)
    return torch.where(covered, colour, clip), 3 * float(covered.float().mean())


def _shuffle(clip: Tensor, _: Tensor, draw: Draw, rng: torch.Generator) -> tuple[Tensor, float]:
    frames = clip.shape[1]
    source = torch.arange(frames)
    if draw(0, 1) < 0.5:  # some frames, anywhere
        count = max(2, round(draw(0, 1) * frames))
        moved = torch.randperm(frames, generator=rng)[:count]
        source[moved] = moved[torch.randperm(count, generator=rng)]
    else:  # all frames, within a reach
        reach = draw(1, frames)
        source = (source + reach * torch.rand(frames, generator=rng)).argsort()
    return clip[:, source], float((source.diff() - 1).abs().clamp(max=8).float().add(1).log2().mean()) / 1.5


def _freeze(clip: Tensor, _: Tensor, draw: Draw, rng: torch.Generator) -> tuple[Tensor, float]:
    frames = clip.shape[1]
    share = draw(0.1, 1.05)
    variant = draw(0, 1)
    if variant < 0.5:  # hangs from some frame on
        source = torch.arange(frames).clamp(max=round((1 - min(share, 1)) * (frames - 1)))
    elif variant < 0.8:  # drops frames here and there
        shown = torch.rand(frames, generator=rng) > share
        shown[0] = True
        source = torch.where(shown, torch.arange(frames), 0).cummax(0).values
    else:  # a lower rate
        every = int(draw(2, 6))
        source = torch.arange(frames) // every * every
    return clip[:, source], 1.5 * float((source.diff() == 0).float().mean())


def _jitter(clip: Tensor, _: Tensor, draw: Draw, rng: torch.Generator) -> tuple[Tensor, float]:
    deviation = 2 ** draw(-1, 2.8)  # pixels
    offsets = deviation * torch.randn(clip.shape[1], 2, generator=rng)
    if draw(0, 1) < 0.7:
        offsets = offsets.round()
    side = (torch.arange(64) + 0.5) / 32 - 1
    down, across = torch.meshgrid(side, side, indexing="ij")
    grid = torch.stack([across, down], dim=2) + offsets[:, None, None] / 32
    shaken = F.grid_sample(clip.transpose(0, 1), grid, padding_mode="border", align_corners=False)
    return shaken.transpose(0, 1), math.log2(1 + float(offsets.diff(dim=0).square().mean().sqrt())) / 2


def _splice(clip: Tensor, other: Tensor, draw: Draw, rng: torch.Generator) -> tuple[Tensor, float]:
    frames = clip.shape[1]
    cuts = 1 if draw(0, 1) < 0.6 else int(draw(2, 5))
    at = torch.randperm(frames - 1, generator=rng)[:cuts] + 1
    side = torch.zeros(frames, dtype=torch.int64)
    side[at] = 1
    theirs = side.cumsum(0) % 2
    share = float(theirs.float().mean())
    measure = 0.2 + 1.6 * math.sqrt(min(share, 1 - share)) + 0.15 * (cuts - 1)
    return torch.where(theirs.bool()[:, None, None], other, clip), measure


DAMAGES = {
    "noise": _noise, "blur": _blur, "blocks": _blocks, "holes": _holes, "shuffle": _shuffle, "freeze": _freeze,
    "jitter": _jitter, "splice": _splice,
}  # fmt: skip
