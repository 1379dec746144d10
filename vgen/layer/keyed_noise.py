"""Noise that belongs to a key (an anchor, a time), not to the order in which it is drawn."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vgen.rng import Key, derive


def clip_seeds(batch: int, rng: torch.Generator) -> Tensor:
    """One seed per clip (B,) int64, whatever will be drawn from it later."""
    return torch.randint(2**62, (batch,), generator=rng)


def keyed_normal(seeds: Tensor, keys: Sequence[Sequence[Key]], dim: int) -> Tensor:
    """N(0, 1) of shape (B, K, dim): entry [b, k] follows from `seeds[b]` and `keys[b][k]` alone.

    So a clip gets the same noise at the same key, in any chunk and beside any other clips.
    """
    rows = [
        torch.randn(dim, generator=torch.Generator().manual_seed(derive(seed, key)))
        for seed, row in zip(seeds.tolist(), keys, strict=True)
        for key in row
    ]
    return torch.stack(rows).unflatten(0, (len(seeds), -1))


def kept_noise(drawn: Tensor, first: Tensor, known: Tensor, known_first: Tensor) -> Tensor:
    """`drawn` (B, n, D) with what `known` (B, m, D) has in its place, where both lie on one line: they begin at numbers
    `first` and `known_first` (B,).
    """
    kept = drawn.clone()
    there = known.to(kept)
    for row, offset in enumerate((known_first - first).tolist()):
        begin, end = max(0, offset), min(kept.shape[1], offset + there.shape[1])
        if begin < end:
            kept[row, begin:end] = there[row, begin - offset : end - offset]
    return kept
