"""Content that changes for ever: contents reached at equally spaced times, and the way from each to the next."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vgen.clip import Latent
from vgen.rng import derive, generator

PATH, REACHED = "content_path", "content_path_times"  # parts of a latent
# Times of contents are whole numbers of ticks, so many to a frame: no floating-point part of the latent, which a
# regulariser might differentiate or measure.
_TICKS = 256
_NEVER = 2**60  # ticks


def draw_path(
    draw: Callable[[int, torch.Generator], Tensor],
    times: Tensor,
    rng: torch.Generator,
    *,
    batch: int,
    distance: float,
) -> Latent:
    """The parts "content_path" (B, K, D) and "content_path_times" (B, K) int64, in 1/256 of a frame: which contents
    each clip reaches when, from before the least to after the greatest of `times` (B, T).

    Contents lie `distance` frames apart on an endless time line, on which each clip starts at a random place between
    two. Content k follows from the clip's seed and k alone, so that any stretch of the time line can be drawn by
    itself. `rng` stays where it is.

    Source: StyleSV, Zhang et al. 2023 (genforce/StyleSV: `interp_len`). There the way has two contents, and goes on
    beyond the second in the same direction.

    Args:
        draw: `(n, rng) -> (n, D)` contents.
    """
    aside = _aside(rng, "content path")
    seeds = torch.randint(2**62, (batch,), generator=aside).tolist()
    step = max(round(distance * _TICKS), 1)
    start = torch.randint(step, (batch,), generator=aside)
    least, most = (float(bound) * _TICKS for bound in times.aminmax())
    first = (math.floor(least) + start).div(step, rounding_mode="floor")  # (B,)
    # From the one before the least time to the one after the greatest; as many, wherever clips start.
    number = torch.arange(int((most - least) / step) + 3)
    keys = first[:, None] + number  # (B, K)
    reached = keys * step - start[:, None]
    rows = [
        [draw(1, torch.Generator().manual_seed(derive(seed, key))) for key in row]
        for seed, row in zip(seeds, keys.tolist(), strict=True)
    ]
    path = torch.stack([torch.cat(row) for row in rows])
    return {PATH: path, REACHED: reached}


def keep_some(path: Latent, content: Tensor, rng: torch.Generator, *, probability: float) -> Latent:
    """The parts `path` of `draw_path`, where a clip's content changes with `probability` only: else it is `content`
    (B, D) and never reaches the next. `rng` stays where it is.

    Source: StyleSV (genforce/StyleSV: `interp_p`), where one draw decides for all clips of a batch.
    """
    changes = torch.rand(len(content), 1, generator=_aside(rng, "content change")) < probability
    number = torch.arange(path[REACHED].shape[1])
    return {
        PATH: torch.where(changes[:, :, None], path[PATH], content[:, None]),
        REACHED: torch.where(changes | (number == 0), path[REACHED], _NEVER),
    }


def along_path(codes: Tensor, reached: Tensor, times: Tensor) -> Tensor:
    """Codes (B, K, ...) of the contents, reached at `reached` (B, K) -> those at `times` (B, T), (B, T, ...): on the
    straight way from one to the next.

    Raises:
        ValueError: on the CPU, the path was drawn for other times.
    """
    ticks = times.double() * _TICKS
    index = (ticks[:, :, None] >= reached[:, None]).sum(2) - 1  # (B, T)
    last = reached.shape[1] - 2
    # Reading the bounds would cut a compiled graph in two, and would stall a GPU.
    look = index.device.type == "cpu" and index.numel() > 0 and not torch.compiler.is_compiling()
    if look and (index.min() < 0 or index.max() > last):
        raise ValueError(
            "the contents were drawn for other times; draw the latent with the times (or a range of times) that the "
            "clip is to have"
        )
    index = index.clamp(0, last)
    here, there = (reached.gather(1, index + further) for further in (0, 1))
    way = ((ticks - here) / (there - here)).to(codes.dtype)
    rows = torch.arange(len(codes), device=codes.device)[:, None]
    return codes[rows, index].lerp(codes[rows, index + 1], way.view(*way.shape, *[1] * (codes.dim() - 2)))


def _aside(rng: torch.Generator, name: str) -> torch.Generator:
    return generator(int(torch.randint(2**62, (), generator=rng.clone_state())), name)
