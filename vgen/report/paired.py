"""Paired comparison of two methods over common seeds: interval, tests, correction for many rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vgen.report.student import quantile, two_sided

LEVEL = 0.05
LARGEST_EXACT = 18  # pairs whose 2^n sign patterns are enumerated
_ROUNDING = 1e-12  # differences whose spread is this small a share of the values are equal


@dataclass(frozen=True)
class Paired:
    """Differences of pairs, one pair per seed.

    Attributes:
        difference: mean over the pairs.
        low, high: 95 % confidence interval of it by Student's t; NaN for a single pair.
        t_test: two-sided p of the paired t test; NaN for a single pair or differences without spread.
        sign_flip: two-sided p of the exact sign-flip permutation test; NaN where it is not enumerated.
    """

    n: int
    difference: float
    low: float
    high: float
    t_test: float
    sign_flip: float


def compare_pairs(values: Sequence[float], baseline: Sequence[float]) -> Paired:
    """`values` minus `baseline`, pair by pair.

    Raises:
        ValueError: no pairs, or sequences of different lengths.
    """
    if len(values) != len(baseline) or not len(values):
        raise ValueError(f"{len(values)} values and {len(baseline)} of the baseline make no pairs")
    ours, theirs = np.asarray(values, dtype=float), np.asarray(baseline, dtype=float)
    differences = ours - theirs
    n, mean = len(differences), float(differences.mean())
    if n < 2:
        return Paired(n, mean, math.nan, math.nan, math.nan, math.nan)
    scale = float(np.abs([ours, theirs]).max())
    if np.ptp(differences) <= _ROUNDING * scale:  # t would be 0/0, or infinite by rounding alone
        return Paired(n, mean, mean, mean, math.nan, _sign_flip(differences))
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    half = quantile(1 - LEVEL, n - 1) * error
    p = two_sided(mean / error, n - 1)
    return Paired(n, mean, mean - half, mean + half, p, _sign_flip(differences))


def exact_is_enough(n: int, rows: int) -> bool:
    """Whether the sign-flip test of n pairs can reach significance at all after correction for `rows` rows.

    Its smallest p is 2/2^n. Decided before any number is seen, so that it favours no row.
    """
    return n <= LARGEST_EXACT and rows * 2.0 ** (1 - n) < LEVEL


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for their number: step-down, holds under any dependence (Holm 1979). NaN stays out."""
    known = sorted((p, i) for i, p in enumerate(ps) if not math.isnan(p))
    corrected, running = [math.nan] * len(ps), 0.0
    for rank, (p, i) in enumerate(known):
        running = max(running, min(1.0, (len(known) - rank) * p))
        corrected[i] = running
    return corrected


def _sign_flip(differences: np.ndarray) -> float:
    """Share of all sign patterns whose sum is at least as far from 0 as the one observed."""
    if len(differences) > LARGEST_EXACT:
        return math.nan
    sums = np.zeros(1)
    for difference in differences:
        sums = np.concatenate([sums + difference, sums - difference])
    slack = _ROUNDING * np.abs(differences).sum()  # equal sums added in another order
    return float((np.abs(sums) >= abs(differences.sum()) - slack).mean())
