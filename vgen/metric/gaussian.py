"""Mean and covariance of features, and the Frechet distance between two Gaussians, in float64."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

Divisor = Literal["N-1", "N"]

_PIECE = 8192  # rows held in float64 at once


def check_divisor(divisor: str) -> None:
    """Raise ValueError unless `divisor` is "N-1" or "N"."""
    if divisor not in ("N-1", "N"):
        raise ValueError(f'divisor {divisor!r} of the covariance is unknown; choose "N-1" or "N"')


def degrees(samples: int, divisor: Divisor) -> int:
    """What a sum of outer products of `samples` centred vectors is divided by."""
    check_divisor(divisor)
    return samples - 1 if divisor == "N-1" else samples


def moments(features: Tensor, *, divisor: Divisor = "N-1") -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) of features (..., D), float64 on the CPU."""
    mean = mean_of(features)
    rows = features[..., 0].numel()
    return mean, scatter_of(features, mean) / degrees(rows, divisor)


def mean_of(features: Tensor) -> Tensor:
    """Mean (D,) of features (..., D), float64 on the CPU."""
    return features.detach().reshape(-1, features.shape[-1]).mean(dim=0, dtype=torch.float64).cpu()


def scatter_of(features: Tensor, mean: Tensor) -> Tensor:
    """Sum (D, D) of outer products of features (..., D) minus `mean`, float64: two passes, so no digits cancel."""
    scatter = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for rows in centred_pieces(features, mean):
        scatter.addmm_(rows.T, rows)
    return scatter


def centred_pieces(features: Tensor, mean: Tensor) -> Iterator[Tensor]:
    """Features (..., D) minus `mean` as rows (n, D) in float64, some at a time."""
    for rows in features.detach().reshape(-1, len(mean)).split(_PIECE):
        yield rows.to("cpu", torch.float64) - mean


def in_joint_span(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Features (..., D) of both sides in coordinates of the space they span, where that has less than D dimensions.

    Distances, means and covariances keep their geometry, so a few clips of many features cost little.
    """
    dim = real.shape[-1]
    if real[..., 0].numel() + fake[..., 0].numel() >= dim:
        return real, fake
    sides = [side.detach().to("cpu", torch.float64) for side in (real, fake)]
    origin = sides[0].reshape(-1, dim)[0]
    sides = [side - origin for side in sides]
    basis = torch.linalg.qr(torch.cat([side.reshape(-1, dim) for side in sides]).T).Q  # (D, N + M)
    return sides[0] @ basis, sides[1] @ basis


def frechet_from_moments(mean_r: Tensor, cov_r: Tensor, mean_f: Tensor, cov_f: Tensor) -> float:
    """Frechet distance between two Gaussians given by means (D,) and covariances (D, D), float64.

    Tr (S_r S_f)^(1/2) is the nuclear norm of A^T B for any A A^T = S_r, B B^T = S_f. Taking A and B from
    eigenvectors avoids the square root of a nonsymmetric product, which loses half the digits without full rank.
    """
    return frechet_from_halves(mean_r, half(cov_r), mean_f, half(cov_f))


def frechet_from_halves(mean_r: Tensor, half_r: Tensor, mean_f: Tensor, half_f: Tensor) -> float:
    """Frechet distance between two Gaussians with covariances A A^T (D, k) and B B^T (D, l), float64."""
    cross = torch.linalg.svdvals(half_r.T @ half_f).sum()
    spread = half_r.square().sum() + half_f.square().sum()
    # a squared metric: what is below zero is rounding
    return max(0.0, float((mean_r - mean_f).square().sum() + spread - 2 * cross))


def half(cov: Tensor) -> Tensor:
    """A (D, k) with A A^T = cov, k its rank."""
    values, vectors = torch.linalg.eigh(cov)
    # below this an eigenvalue is rounding, and its square root would not be small
    kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    return vectors[:, kept] * values[kept].sqrt()


def quick_half(cov: Tensor) -> Tensor:
    """As `half`, by a Cholesky factor where there is one of a well-conditioned matrix: a tenth of the time."""
    factor, failed = torch.linalg.cholesky_ex(cov)
    pivots = factor.diagonal()
    # sqrt(eps) of error in the factor is where a rank-deficient matrix would end
    if int(failed) or pivots.min() < 1e-6 * pivots.max():
        return half(cov)
    return factor
