"""Memorisation: generated clips that are nearer to a training clip than training clips are to each other."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate
from vgen.metric.per_clip import mean_estimate
from vgen.metric.two_sets import TwoSets, check_pair

_PIECE = 256  # rows of the matrix of distances held at once


@dataclass(frozen=True)
class Neighbours:
    """The nearest clips of every clip among some others.

    Attributes:
        distance: (N, k) float64 Euclidean distances, the nearest first.
        index: (N, k) which clips they are.
    """

    distance: Tensor
    index: Tensor


def nearest(queries: Tensor, among: Tensor, *, count: int = 1, same: bool = False) -> Neighbours:
    """The `count` nearest rows of `among` (M, D) to every row of `queries` (N, D), in float64.

    `same` says that both are the same set: a row is then no neighbour of itself, but an exact copy of it is.
    """
    queries, among = queries.double(), among.double()
    distances, indices = [], []
    for start in range(0, len(queries), _PIECE):
        # from differences: copies are then at distance 0 exactly
        apart = torch.cdist(
            queries[start : start + _PIECE], among, compute_mode="donot_use_mm_for_euclid_dist"
        )
        if same:
            rows = torch.arange(len(apart))
            apart[rows, start + rows] = torch.inf
        found = apart.topk(count, dim=1, largest=False)
        distances.append(found.values)
        indices.append(found.indices)
    return Neighbours(torch.cat(distances), torch.cat(indices))


def too_near(distance: Tensor, own: Tensor, *, quantile: float = 0.01) -> Tensor:
    """1 for every `distance` (M,) up to the `quantile` of the distances `own` (N,), else 0; (M,) float64.

    The quantile is one of the values of `own`, the lower where it falls between two.
    """
    return (distance <= own.quantile(quantile, interpolation="lower")).double()


def authentic(to_real: Neighbours, own: Neighbours, *, left_out: Tensor | None = None) -> Tensor:
    """1 for every clip that is farther from its nearest real clip than that one is from its own nearest; (M,) float64.

    `to_real` has the nearest real clip of every clip; `own` the nearest two real clips of every real clip. `left_out`
    (M,) are real clips to leave out of the second search, for clips that are real themselves. Source: Alaa et al., How
    Faithful is your Synthetic Data (arXiv 2102.08921), section 3.3.
    """
    found = to_real.index[:, 0]
    between = own.distance[found, 0]
    if left_out is not None:
        between = torch.where(own.index[found, 0] == left_out, own.distance[found, 1], between)
    return (to_real.distance[:, 0] > between).double()


class Memorization(TwoSets):
    """`memorization/<extractor>` and `authenticity/<extractor>`, on one feature vector per clip.

    d_i is the distance of fake clip i to its nearest real one, r_j that of real clip j to its nearest other real one;
    real clips with the very same features count once.

    - memorization: share of fakes with d_i at most the 1 % quantile of r. Lower is better; new clips of the same law
      give 0.01, copies give 1. `Estimate.real` is the share of real clips, by construction about 0.01.
    - authenticity: share of fakes with d_i > r_j, j the real clip that is nearest to i (Alaa et al. 2022). Higher is
      better; copies give 0, new clips of the same law about the real clips' own value, `Estimate.real` (left out one
      at a time), which is near 0.5; a poor generator gives 1.

    The real side must be the clips that the generator was trained on: what was not compared cannot be found. Several
    clips of one video on the real side make r small, and then only closer copies are found. A feature is blind to what
    it ignores: copies that are mirrored or shifted in time may be missed. The standard errors take the real clips as
    given.

    Args:
        quantile: of the real clips' own distances, in (0, 1).
    """

    names = ("memorization", "authenticity")

    def __init__(self, *, quantile: float = 0.01) -> None:
        super().__init__()
        if not 0 < quantile < 1:
            raise ValueError(f"quantile={quantile:g} of the memorization; expected more than 0, less than 1")
        self.quantile = quantile

    @property
    def stamp(self) -> str:
        return f"q{self.quantile:g}"

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """Both shares of fake (M, D) clips against real (N, D), at least 3 of them different; see the class."""
        check_pair(real, fake)
        # a set that repeats its clips would otherwise call only exact copies too near
        real = real.unique(dim=0)
        if len(real) < 3:
            raise ValueError(f"{len(real)} different real clips; distances among them need at least 3")
        own = nearest(real, real, count=2, same=True)
        to_real = nearest(fake, real)
        itself = Neighbours(own.distance[:, :1], own.index[:, :1])
        own_distance = own.distance[:, 0]
        return {
            "memorization": mean_estimate(
                too_near(to_real.distance[:, 0], own_distance, quantile=self.quantile),
                too_near(own_distance, own_distance, quantile=self.quantile),
            ),
            "authenticity": mean_estimate(
                authentic(to_real, own), authentic(itself, own, left_out=torch.arange(len(real)))
            ),
        }

    def offenders(self, real: Tensor, fake: Tensor, count: int) -> list[tuple[int, int, float]]:
        """The `count` fake clips nearest to a real one: (fake clip, real clip, distance), the nearest first."""
        check_pair(real, fake)
        found = nearest(fake, real)
        order = found.distance[:, 0].argsort(stable=True)[:count]
        return [(int(i), int(found.index[i, 0]), float(found.distance[i, 0])) for i in order]

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """Too few real clips for the quantile."""
        clips = len(real.unique(dim=0))
        if clips * self.quantile >= 1:
            return []
        return [
            f"memorization: {clips} different real clips are too few for a {self.quantile:g} quantile; "
            "their least distance stands for it"
        ]
