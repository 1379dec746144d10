"""Precision and recall of a generated set: how much of it looks real, and how much of the real it covers."""

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


def precision_recall(real: Tensor, fake: Tensor, *, k: int = 3, closed: bool = True) -> tuple[float, float]:
    """Shares of fakes in any real clip's k-neighbour ball, and of reals in any fake clip's; each from 0 to 1.

    Features (N, D) and (M, D), float64. `closed` balls (<=) with k = 3 are Kynkaanniemi's and torch-fidelity's,
    open ones (<) with k = 5 prdc's. Raises ValueError for k clips or fewer, different D, or features that are not
    finite. Source: Kynkaanniemi et al., Improved Precision and Recall Metric (arXiv 1904.06991), eqs. 1-2.
    """
    check_pair(real, fake)
    fakes_inside = membership(real, fake, k=k, closed=closed)
    reals_inside = membership(fake, real, k=k, closed=closed)
    return _share(fakes_inside, 0), _share(reals_inside, 0)


class PrecisionRecall(TwoSets):
    """Precision and recall as a torchmetrics metric: `precision/<extractor>`, `recall/<extractor>`.

    The standard error is a block jackknife over clips that lets the balls grow as their neighbours go. Nearest
    neighbours are no smooth statistic: it is then conservative (Efron & Stein 1981), 1.3 to 2 times the scatter over
    fresh sets in our tests. Values depend on the number of clips, by no term of order 1/N that could be removed.

    Args:
        k: the neighbour that a ball reaches to.
        closed: whether a point at exactly that distance lies inside.
    """

    names = ("precision", "recall")

    def __init__(self, *, k: int = 3, closed: bool = True) -> None:
        super().__init__()
        check_neighbour(k)
        self.k, self.closed = k, closed

    @property
    def stamp(self) -> str:
        return ball_stamp(self.k, self.closed)

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """Precision and recall of real (N, D) and fake (M, D) features."""
        precision, recall = precision_recall(real, fake, k=self.k, closed=self.closed)
        return {"precision": precision, "recall": recall}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with their standard errors."""
        check_pair(real, fake)
        blocks = blocks_for(real, fake, self.k)
        fakes_inside = membership(real, fake, k=self.k, closed=self.closed, blocks=blocks)
        reals_inside = membership(fake, real, k=self.k, closed=self.closed, blocks=blocks)
        return {
            "precision": jackknife_levels([_share(fakes_inside, level) for level in range(blocks + 1)]),
            "recall": jackknife_levels([_share(reals_inside, level) for level in range(blocks + 1)]),
        }

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """Unequal numbers of clips."""
        return unequal_counts("precision and recall", real, fake)


def _share(inside: Membership, level: int) -> float:
    held = inside.balls[level] > 0
    return float(held[inside.points_at(level)].to(torch.float64).mean())
