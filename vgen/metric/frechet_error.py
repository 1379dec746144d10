"""How uncertain a Frechet distance is: the block jackknife where it is affordable, its linearisation elsewhere."""

import torch
from torch import Tensor

from vgen.metric.gaussian import (
    Divisor,
    centred_pieces,
    degrees,
    frechet_from_halves,
    half,
    in_joint_span,
    mean_of,
    moments,
    quick_half,
    scatter_of,
)
from vgen.metric.jackknife import Estimate, block_jackknife, deal_blocks, influence_error

EXACT_UP_TO = 512  # features; above, a left-out distance takes seconds
_FEW_BLOCKS = 4


def frechet_jackknife(
    real: Tensor,
    fake: Tensor,
    *,
    divisor: Divisor = "N-1",
    blocks: int = 32,
    exact_up_to: int = EXACT_UP_TO,
) -> Estimate:
    """Frechet distance of features (N, D) or (N, T, D) with its standard error and bias-corrected value.

    Up to `exact_up_to` features: both sides are dealt by clip into (at most) `blocks` blocks, and block b is left
    out of both at once. Above, a left-out distance costs seconds, so the standard error is that of the distance's
    first-order expansion in the weights of the clips (the infinitesimal jackknife: Efron, The Jackknife, the
    Bootstrap and Other Resampling Plans, 1982, ch. 6; within 15 % of the exact one where N > D in our tests), and
    the bias comes from 4 exact blocks.

    The corrected value removes the 1/N bias that makes a small sample look bad; it is None for N <= D clips,
    where the bias is not of that order, and while fewer than D clips are left when a block is out.
    """
    clips, features = min(len(real), len(fake)), real.shape[-1]
    real, fake = in_joint_span(real, fake)
    dim = real.shape[-1]
    mean_r, cov_r = moments(real, divisor=divisor)
    mean_f, cov_f = moments(fake, divisor=divisor)
    half_r, half_f = half(cov_r), half(cov_f)
    value = frechet_from_halves(mean_r, half_r, mean_f, half_f)
    if clips < 3:
        return Estimate(value)
    exact = dim <= exact_up_to
    blocks = min(blocks if exact else _FEW_BLOCKS, clips)
    unbiased = clips * (blocks - 1) // blocks > features
    error = None if exact else first_order_error(real, fake, (mean_r, half_r), (mean_f, half_f))
    if not exact and not unbiased:
        return Estimate(value, error)
    left_real = _LeaveOut(real, mean_r, cov_r, blocks, divisor)
    left_fake = _LeaveOut(fake, mean_f, cov_f, blocks, divisor)
    estimate = block_jackknife(
        value, lambda b: frechet_from_halves(*left_real.without(b), *left_fake.without(b)), blocks
    )
    return Estimate(
        value, estimate.standard_error if exact else error, estimate.bias_corrected if unbiased else None
    )


def first_order_error(
    real: Tensor, fake: Tensor, gaussian_r: tuple[Tensor, Tensor], gaussian_f: tuple[Tensor, Tensor]
) -> float:
    """Standard error of a Frechet distance from the influence of each clip, features (N, D) or (N, T, D).

    `gaussian_r`, `gaussian_f`: mean (D,) and half (D, k) of the covariance of each side.
    """
    return influence_error(*clip_influences(real, fake, gaussian_r, gaussian_f))


def clip_influences(
    real: Tensor, fake: Tensor, gaussian_r: tuple[Tensor, Tensor], gaussian_f: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Derivative of the Frechet distance by the weight of each real (N,) and fake (M,) clip, up to a constant.

    For x on the real side it is 2 (mu_r - mu_f).c + c^T (I - T) c over N, c = x - mu_r, where
    T = A^-T (A^T S_f A)^(1/2) A^-1 is the optimal transport map from the real to the fake Gaussian, S_r = A A^T
    (the derivative of Tr (S_r S_f)^(1/2) by S_r is T/2).
    """
    (mean_r, half_r), (mean_f, half_f) = gaussian_r, gaussian_f
    left, values, right = torch.linalg.svd(half_r.T @ half_f, full_matrices=False)
    roots = values.sqrt()
    return (
        _influence(real, mean_r, mean_f, half_r, left * roots),
        _influence(fake, mean_f, mean_r, half_f, right.T * roots),
    )


def _influence(features: Tensor, mean: Tensor, other: Tensor, factor: Tensor, inner: Tensor) -> Tensor:
    # A^-1 of A = V sqrt(L) is L^-1 A^T; columns of A are orthogonal, of squared length L
    transport = (factor / factor.square().sum(dim=0)) @ inner  # (D, k): T is it times its transpose
    shift = 2 * (mean - other)
    influence = torch.cat(
        [
            rows @ shift + rows.square().sum(dim=1) - (rows @ transport).square().sum(dim=1)
            for rows in centred_pieces(features, mean)
        ]
    )
    return (influence / len(influence)).reshape(len(features), -1).sum(dim=1)


class _LeaveOut:
    """A Gaussian fitted to features without one of their blocks of clips, by subtraction of sums."""

    def __init__(self, features: Tensor, mean: Tensor, cov: Tensor, blocks: int, divisor: Divisor) -> None:
        self.features, self.mean = features, mean
        self.divisor: Divisor = divisor
        self.rows = features[..., 0].numel()
        self.scatter = cov * degrees(self.rows, divisor)
        self.block = deal_blocks(len(features), blocks)

    def without(self, block: int) -> tuple[Tensor, Tensor]:
        """Mean (D,) and half of the covariance (D, k)."""
        out = self.features[self.block == block]
        rows = out[..., 0].numel()
        left = self.rows - rows
        shift = (self.mean - mean_of(out)) * rows / left
        scatter = self.scatter - scatter_of(out, self.mean) - left * torch.outer(shift, shift)
        return self.mean + shift, quick_half(scatter / degrees(left, self.divisor))
