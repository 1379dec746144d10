"""Doubling and halving with the bilinear [1, 2, 1] filter, along any dimension."""

import torch
from torch import Tensor


def double(x: Tensor, dim: int, *, continued: bool = False) -> Tensor:
    """Twice as long along `dim`: x and, before each entry, the mean of it and its predecessor.

    Before the first entry there is zero, as when zeros are inserted and [1, 2, 1] / 2 is applied with zero padding
    (StyleGAN2's upfirdn, R3GAN). With `continued` the first entry stands there.
    """
    before = torch.cat([_edge(x, dim, continued), x.narrow(dim, 0, x.shape[dim] - 1)], dim)
    return torch.stack([0.5 * (before + x), x], dim + 1).flatten(dim, dim + 1)


def halve(x: Tensor, dim: int, *, continued: bool = False) -> Tensor:
    """Half as long along `dim`, which must be even: entries of even number, filtered by [1, 2, 1] / 4.

    Before the first entry there is zero, or the first entry if `continued`; see `double`.
    """
    even, odd = x.unflatten(dim, (-1, 2)).unbind(dim + 1)
    before = torch.cat([_edge(even, dim, continued), odd.narrow(dim, 0, odd.shape[dim] - 1)], dim)
    return 0.5 * even + 0.25 * (before + odd)


def _edge(x: Tensor, dim: int, continued: bool) -> Tensor:
    first = x.narrow(dim, 0, 1)
    return first if continued else torch.zeros_like(first)
