"""The block jackknife: how uncertain a distance between two sets of features is.

The percentile bootstrap is no use here: drawing with replacement makes duplicates, which cost rank, and the
interval of a Frechet distance then does not even contain its own estimate. Leaving out one block of both sets at
a time keeps every sample distinct (Efron & Stein, The jackknife estimate of variance, 1981).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Estimate:
    """A value with its uncertainty.

    Attributes:
        value: the plain value.
        standard_error: its jackknife standard error; None below 3 samples on a side.
        bias_corrected: the value without its O(1/N) bias, where the metric has one that the jackknife removes.
        real: the same statistic of the real clips, where it is one of a single set (an inception score, flicker).
    """

    value: float
    standard_error: float | None = None
    bias_corrected: float | None = None
    real: float | None = None


def deal_blocks(samples: int, blocks: int) -> Tensor:
    """The block (samples,) of each sample: equally large blocks (within one), dealt by a fixed shuffle.

    The shuffle keeps sets that are sorted by class or cycle through them from giving blocks of one class.
    """
    dealt = torch.arange(samples) % blocks
    return dealt[torch.randperm(samples, generator=torch.Generator().manual_seed(0))]


def block_jackknife(value: float, without: Callable[[int], float], blocks: int) -> Estimate:
    """`value` with its jackknife standard error and bias correction.

    Args:
        value: the statistic on everything.
        without: block number -> the statistic with that block left out (of both sets, where there are two).
        blocks: how many blocks, at least 2.
    """
    left_out = [without(block) for block in range(blocks)]
    mean = math.fsum(left_out) / blocks
    variance = (blocks - 1) / blocks * math.fsum((v - mean) ** 2 for v in left_out)
    return Estimate(value, math.sqrt(variance), blocks * value - (blocks - 1) * mean)


def influence_error(*sides: Tensor) -> float:
    """Standard error of a statistic from the first-order influence of each clip (infinitesimal jackknife).

    Args:
        sides: for each independent set, the change of the statistic with the weight of each clip (N,), or with that
            of each of its frames (N, T), which are not independent: a clip's influence is their sum.

    Source: Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), ch. 6.
    """
    variance = 0.0
    for influence in sides:
        of_clips = influence.reshape(len(influence), -1).sum(dim=1)
        variance += float(of_clips.var(correction=1) * len(of_clips))
    return math.sqrt(variance)
