"""Frechet distance between two sets of features: FVD, with whatever extractor made them."""

from typing import Literal

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate, block_jackknife, deal_blocks
from vgen.metric.two_sets import TwoSets, check_pair

Divisor = Literal["N-1", "N"]


def frechet_distance(real: Tensor, fake: Tensor, *, divisor: Divisor = "N-1") -> float:
    """|mu_r - mu_f|^2 + Tr(S_r + S_f - 2 (S_r S_f)^(1/2)) of real (N, D) and fake (M, D) features, in float64.

    `divisor` of the covariances: "N-1" in the TF reference, VideoGPT, DIGAN, TATS; "N" in StyleGAN-V and cd-fvd.
    Exact where covariances lack rank (N <= D). Raises ValueError for fewer than 2 clips, different D, or
    features that are not finite. Source: Unterthiner et al., Towards Accurate Generative Models of Video
    (arXiv 1812.01717), eq. 2.
    """
    check_pair(real, fake)
    return frechet_from_moments(*moments(real, divisor=divisor), *moments(fake, divisor=divisor))


def moments(features: Tensor, *, divisor: Divisor = "N-1") -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) of features (N, D), float64 on the CPU."""
    features = features.detach().to("cpu", torch.float64)
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / _degrees(len(features), divisor)


def frechet_from_moments(mean_r: Tensor, cov_r: Tensor, mean_f: Tensor, cov_f: Tensor) -> float:
    """Frechet distance between two Gaussians given by means (D,) and covariances (D, D), float64.

    Tr (S_r S_f)^(1/2) is the nuclear norm of A^T B for any A A^T = S_r, B B^T = S_f. Taking A and B from
    eigenvectors avoids the square root of a nonsymmetric product, which loses half the digits without full rank.
    """
    cross = torch.linalg.svdvals(_half(cov_r).T @ _half(cov_f)).sum()
    distance = (mean_r - mean_f).square().sum() + cov_r.trace() + cov_f.trace() - 2 * cross
    # a squared metric: what is below zero is rounding
    return max(0.0, float(distance))


def frechet_jackknife(real: Tensor, fake: Tensor, *, divisor: Divisor = "N-1", blocks: int = 32) -> Estimate:
    """Frechet distance with its block-jackknife standard error and bias-corrected value.

    Both sides are dealt into (at most) `blocks` blocks and block b is left out of both at once. The corrected
    value removes the 1/N bias that makes a small sample look bad; it is None for N <= D, where the bias is not of
    that order.
    """
    value = frechet_distance(real, fake, divisor=divisor)
    blocks = min(blocks, len(real), len(fake))
    if min(len(real), len(fake)) < 3:
        return Estimate(value)
    left_real = _LeaveOut(real, blocks, divisor)
    left_fake = _LeaveOut(fake, blocks, divisor)
    estimate = block_jackknife(
        value, lambda b: frechet_from_moments(*left_real.moments(b), *left_fake.moments(b)), blocks
    )
    if min(len(real), len(fake)) <= real.shape[1]:
        return Estimate(value, estimate.standard_error)
    return estimate


class FrechetDistance(TwoSets):
    """Frechet distance as a torchmetrics metric: `fvd/<extractor>`.

    Args:
        divisor: of the covariances, "N-1" or "N"; see `frechet_distance`.
    """

    name = "fvd"
    higher_is_better = False

    def __init__(self, *, divisor: Divisor = "N-1") -> None:
        super().__init__()
        _degrees(2, divisor)
        self.divisor: Divisor = divisor

    @property
    def stamp(self) -> str:
        return self.divisor

    def compute(self) -> Tensor:
        """The distance, a float64 scalar on the CPU."""
        return torch.tensor(frechet_distance(*self.sets(), divisor=self.divisor), dtype=torch.float64)

    def measure(self, real: Tensor, fake: Tensor) -> Estimate:
        """The distance between real (N, D) and fake (M, D) features with its uncertainty; keeps nothing."""
        return frechet_jackknife(real, fake, divisor=self.divisor)

    def warnings(self, real: int, fake: int, dim: int) -> list[str]:
        """What to know about a distance between so many clips with `dim` features."""
        if min(real, fake) >= dim:
            return []
        return [
            f"{self.name}: {min(real, fake)} clips for {dim} features: covariances lack rank and the value is "
            f"dominated by the number of clips; compare only with values of the same number, or use more clips"
        ]


class _LeaveOut:
    """Moments of a set of features without one of its blocks, by subtraction of sums."""

    def __init__(self, features: Tensor, blocks: int, divisor: Divisor) -> None:
        features = features.detach().to("cpu", torch.float64)
        self.divisor: Divisor = divisor
        self.mean = features.mean(dim=0)
        # centring first makes the subtraction of sums harmless
        self.centred = features - self.mean
        self.scatter = self.centred.T @ self.centred
        self.block = deal_blocks(len(features), blocks)

    def moments(self, block: int) -> tuple[Tensor, Tensor]:
        out = self.centred[self.block == block]
        left = len(self.centred) - len(out)
        shift = -out.sum(dim=0) / left
        scatter = self.scatter - out.T @ out - left * torch.outer(shift, shift)
        return self.mean + shift, scatter / _degrees(left, self.divisor)


def _half(cov: Tensor) -> Tensor:
    """A (D, D) with A A^T = cov."""
    values, vectors = torch.linalg.eigh(cov)
    # below this an eigenvalue is rounding, and its square root would not be small
    floor = values[-1] * len(values) * torch.finfo(values.dtype).eps
    return vectors * values.where(values > floor, torch.zeros_like(values)).sqrt()


def _degrees(samples: int, divisor: Divisor) -> int:
    if divisor not in ("N-1", "N"):
        raise ValueError(f'divisor {divisor!r} of the covariance is unknown; choose "N-1" or "N"')
    return samples - 1 if divisor == "N-1" else samples
