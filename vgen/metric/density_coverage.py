"""Density and coverage of a generated set: precision and recall that outliers of either side do not upset."""

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate
from vgen.metric.neighbours import (
    Membership,
    ball_stamp,
    blocks_for,
    check_neighbour,
    jackknife_levels,
    membership,
    unequal_counts,
)
from vgen.metric.two_sets import TwoSets, check_pair


def density_coverage(real: Tensor, fake: Tensor, *, k: int = 5, closed: bool = False) -> tuple[float, float]:
    """Mean number of real balls around a fake over k, and the share of real balls with a fake inside.

    density = 1/(k M) sum_j sum_i 1[|y_j - x_i| < r_i], from 0, 1 for two sets of one law, above 1 where fakes crowd
    where reals do; coverage = mean_i 1[min_j |y_j - x_i| < r_i], from 0 to 1, with r_i the distance from x_i to its
    k-th real neighbour. Features (N, D) and (M, D), float64; `closed` makes it <=.

    Raises ValueError for k clips or fewer, different D, or features that are not finite. Source: Naeem et al.,
    Reliable Fidelity and Diversity Metrics (arXiv 2002.09797), eqs. 3-4.
    """
    check_pair(real, fake)
    inside = membership(real, fake, k=k, closed=closed)
    return _density(inside, 0, k), _coverage(inside, 0)


class DensityCoverage(TwoSets):
    """Density and coverage as a torchmetrics metric: `density/<extractor>`, `coverage/<extractor>`.

    The standard error is a block jackknife over clips that lets the balls grow as their neighbours go:
    right for density, conservative for coverage (about 1.4 times the scatter over fresh sets in our tests).

    Args:
        k: the neighbour that a ball reaches to.
        closed: whether a point at exactly that distance lies inside; prdc has open balls.
    """

    names = ("density", "coverage")

    def __init__(self, *, k: int = 5, closed: bool = False) -> None:
        super().__init__()
        check_neighbour(k)
        self.k, self.closed = k, closed

    @property
    def stamp(self) -> str:
        return ball_stamp(self.k, self.closed)

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """Density and coverage of real (N, D) and fake (M, D) features."""
        density, coverage = density_coverage(real, fake, k=self.k, closed=self.closed)
        return {"density": density, "coverage": coverage}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with their standard errors."""
        check_pair(real, fake)
        blocks = blocks_for(real, fake, self.k)
        inside = membership(real, fake, k=self.k, closed=self.closed, blocks=blocks)
        levels = range(inside.levels)
        return {
            "density": jackknife_levels([_density(inside, level, self.k) for level in levels]),
            "coverage": jackknife_levels([_coverage(inside, level) for level in levels]),
        }

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """Unequal numbers of clips."""
        return unequal_counts("density and coverage", real, fake)


def _density(inside: Membership, level: int, k: int) -> float:
    return float(inside.balls[level][inside.points_at(level)].to(torch.float64).mean() / k)


def _coverage(inside: Membership, level: int) -> float:
    return float(inside.occupied[level][inside.balls_at(level)].to(torch.float64).mean())
