"""The unbiased squared MMD with a Gaussian kernel, which no moment of the features escapes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate
from vgen.metric.mmd import mmd_jackknife, squared_mmd
from vgen.metric.two_sets import TwoSets


@dataclass(frozen=True)
class GaussianKernel:
    """exp(-|x - y|^2 / (2 sigma^2)), sigma in the unit of the features."""

    sigma: float

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"sigma {self.sigma:g} of the Gaussian kernel; expected more than 0")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, D), (M, D) -> (N, M)."""
        squared = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1) - 2 * x @ y.T
        return squared.clamp_min_(0).div_(-2 * self.sigma**2).exp_()

    def diagonal(self, x: Tensor) -> Tensor:
        """(N, D) -> (N,), the kernel of each row with itself: 1."""
        return torch.ones(len(x), dtype=x.dtype)


def rbf_mmd(real: Tensor, fake: Tensor, *, sigma: float = 10.0) -> float:
    """Unbiased squared MMD of real (N, D) and fake (M, D) features under exp(-|x - y|^2 / 2 sigma^2), in float64.

    From about 0 (may be negative) to 2. Raises ValueError as `squared_mmd`. Source: Gretton et al. (JMLR 2012);
    sigma 10 on CLIP features, biased and times 1000, is CMMD (Jayasumana et al., arXiv 2401.09603).
    """
    kernel = GaussianKernel(sigma)
    return squared_mmd(real, fake, kernel, kernel.diagonal)


class RBFDistance(TwoSets):
    """Gaussian-kernel MMD as a torchmetrics metric: `mmd_rbf/<extractor>`.

    Args:
        sigma: width of the kernel in the unit of the features; distances far from it are not told apart.
    """

    names = ("mmd_rbf",)

    def __init__(self, *, sigma: float = 10.0) -> None:
        super().__init__()
        self.kernel = GaussianKernel(sigma)

    @property
    def stamp(self) -> str:
        return f"sigma={self.kernel.sigma:g}"

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The squared MMD of real (N, D) and fake (M, D) features."""
        return {"mmd_rbf": squared_mmd(real, fake, self.kernel, self.kernel.diagonal)}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with its block-jackknife standard error."""
        return {"mmd_rbf": mmd_jackknife(real, fake, self.kernel, self.kernel.diagonal)}
