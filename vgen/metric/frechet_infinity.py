"""The Frechet distance that infinitely many clips would give, extrapolated from subsets of both sides."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vgen import rng
from vgen.metric.frechet_error import clip_influences
from vgen.metric.gaussian import Divisor, check_divisor, frechet_from_moments, half, moments
from vgen.metric.jackknife import Estimate, influence_error
from vgen.metric.two_sets import TwoSets, check_pair

Reference = Literal["subsampled", "fixed"]

CLIPS_PER_FEATURE = 2.5


@dataclass(frozen=True)
class Extrapolation:
    """A distance at infinitely many clips, and the distances at finite `sizes` that it comes from.

    `subsets` are the clips (n,) of the real and fake side behind each distance; `weights` (points,), of sum 1, say
    how the value is made of the distances.
    """

    value: float
    sizes: list[int]
    distances: list[float]
    weights: Tensor
    subsets: list[tuple[Tensor, Tensor]]


def frechet_infinity(
    real: Tensor,
    fake: Tensor,
    *,
    divisor: Divisor = "N-1",
    points: int = 15,
    smallest: int | None = None,
    reference: Reference = "subsampled",
    seed: int = 0,
) -> Extrapolation:
    """Intercept of the Frechet distance as a line in 1/n, by least squares over subsets without replacement.

    Features (N, D) and (M, D), float64 maths. `points` sizes n from `smallest` to min(N, M), equally spaced.
    `smallest` None means min(2.5 D, min(N, M) / 2), always above D: the distance is linear in 1/n from n ~ D on.

    `reference`: "subsampled" draws n clips of both sides, from streams named by seed, side and n, so that the
    bias of both goes. "fixed" keeps all real clips and follows Chong & Forsyth, Effectively Unbiased FID and
    Inception Score (arXiv 1911.07023): it is 40 % off where the real side is not far larger, and draws as
    their code does, `numpy.random.RandomState(seed)` shuffling the fakes once for every size.

    Raises ValueError for fewer than 2.5 D clips on a side: the extrapolation would be off by tens of per cent.
    """
    check_pair(real, fake)
    clips, dim = min(len(real), len(fake)), real.shape[1]
    if clips < CLIPS_PER_FEATURE * dim:
        raise ValueError(
            f"fvd_inf: {clips} clips for {dim} features; the extrapolation needs at least "
            f"{CLIPS_PER_FEATURE:g} x {dim} = {int(np.ceil(CLIPS_PER_FEATURE * dim))} on each side"
        )
    if smallest is None:
        smallest = int(min(CLIPS_PER_FEATURE * dim, clips / 2))
    # the line is drawn over the fakes, of which there may be more than reals where those stay
    largest = len(fake) if reference == "fixed" else clips
    if not 2 <= smallest < largest:
        raise ValueError(f"fvd_inf: smallest={smallest} of {largest} clips; expected from 2 to {largest - 1}")
    sizes = [int(size) for size in np.linspace(smallest, largest, points)]
    draw = _fixed_reference if reference == "fixed" else _both_sides
    subsets = draw(len(real), len(fake), sizes, seed)
    all_real = moments(real, divisor=divisor)
    distances = [
        frechet_from_moments(
            *(all_real if len(of_real) == len(real) else moments(real[of_real], divisor=divisor)),
            *moments(fake[of_fake], divisor=divisor),
        )
        for of_real, of_fake in subsets
    ]
    inverse = 1 / torch.tensor(sizes, dtype=torch.float64)
    from_mean = inverse - inverse.mean()
    weights = 1 / points - inverse.mean() * from_mean / from_mean.square().sum()
    value = float(weights @ torch.tensor(distances, dtype=torch.float64))
    return Extrapolation(value, sizes, distances, weights, subsets)


class FrechetInfinity(TwoSets):
    """Extrapolated Frechet distance as a torchmetrics metric: `fvd_inf/<extractor>`.

    The standard error follows each clip's influence on the distance through the subsets it is in and the line
    through their distances; clips count as independent.

    Args:
        divisor: of the covariances, "N-1" or "N".
        points, smallest, reference, seed: see `frechet_infinity`.
    """

    names = ("fvd_inf",)

    def __init__(
        self,
        *,
        divisor: Divisor = "N-1",
        points: int = 15,
        smallest: int | None = None,
        reference: Reference = "subsampled",
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_divisor(divisor)
        if points < 3:
            raise ValueError(f"points={points} of the extrapolation; a line with an error needs at least 3")
        if reference not in ("subsampled", "fixed"):
            raise ValueError(f"reference={reference!r} of fvd_inf; choose subsampled or fixed")
        self.divisor: Divisor = divisor
        self.points, self.smallest, self.seed = points, smallest, seed
        self.reference: Reference = reference

    @property
    def stamp(self) -> str:
        smallest = "" if self.smallest is None else f",from{self.smallest}"
        return f"{self.divisor},{self.reference},{self.points}points{smallest},seed{self.seed}"

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The extrapolated distance of real (N, D) and fake (M, D) features."""
        return {"fvd_inf": self._extrapolate(real, fake).value}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with its standard error."""
        line = self._extrapolate(real, fake)
        gaussians = []
        for features in (real, fake):
            mean, cov = moments(features, divisor=self.divisor)
            gaussians.append((mean, half(cov)))
        influences = clip_influences(real, fake, *gaussians)
        # clip i enters with weight N/n the distance of every subset of n that it is in
        shares = [torch.zeros(len(features), dtype=torch.float64) for features in (real, fake)]
        for weight, subset in zip(line.weights, line.subsets, strict=True):
            for share, clips in zip(shares, subset, strict=True):
                share[clips] += weight * len(share) / len(clips)
        centred = [influence - influence.mean() for influence in influences]
        error = influence_error(*(share * own for share, own in zip(shares, centred, strict=True)))
        return {"fvd_inf": Estimate(line.value, error)}

    def _extrapolate(self, real: Tensor, fake: Tensor) -> Extrapolation:
        return frechet_infinity(
            real,
            fake,
            divisor=self.divisor,
            points=self.points,
            smallest=self.smallest,
            reference=self.reference,
            seed=self.seed,
        )


def _both_sides(real: int, fake: int, sizes: list[int], seed: int) -> list[tuple[Tensor, Tensor]]:
    def some(side: str, clips: int, size: int) -> Tensor:
        return torch.randperm(clips, generator=rng.generator(seed, "fvd_inf", side, size))[:size]

    return [(some("real", real, size), some("fake", fake, size)) for size in sizes]


def _fixed_reference(real: int, fake: int, sizes: list[int], seed: int) -> list[tuple[Tensor, Tensor]]:
    stream, order, drawn = np.random.RandomState(seed), np.arange(fake), []
    for size in sizes:
        stream.shuffle(order)
        drawn.append((torch.arange(real), torch.from_numpy(order[:size].copy())))
    return drawn
