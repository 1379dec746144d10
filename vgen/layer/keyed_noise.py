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


def keep_known(noise: Tensor, known: Tensor, offset: Tensor) -> Tensor:
    """`noise` (B, K, D) with `known` (B, N, D) in the places that both have: row b of `known` begins at place
    `offset[b]`, which may lie outside.
    """
    noise, known = noise.clone(), known.to(noise)
    for row, at in enumerate(offset.tolist()):
        begin, end = max(0, at), min(noise.shape[1], at + known.shape[1])
        if begin < end:
            noise[row, begin:end] = known[row, begin - at : end - at]
    return noise
