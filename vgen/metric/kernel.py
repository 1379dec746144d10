"""Kernel distance between two sets of features: the unbiased squared MMD with a polynomial kernel (KVD)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.metric.jackknife import Estimate, block_jackknife, deal_blocks
from vgen.metric.two_sets import TwoSets, check_pair

_PIECE = 2048  # rows and columns of the kernel matrix held at once: 32 MiB


def polynomial_mmd(
    real: Tensor, fake: Tensor, *, degree: int = 3, gamma: float | None = None, coef0: float = 1.0
) -> float:
    """Unbiased squared MMD of real (N, D) and fake (M, D) features under (gamma x.y + coef0)^degree, in float64.

    gamma None means 1/D. N and M may differ; the value may be negative. Memory does not grow with N. Raises
    ValueError for fewer than 2 clips, different D, or features that are not finite. Source: Binkowski et al.,
    Demystifying MMD GANs (arXiv 1801.01401), eq. 4, on all samples rather than subsets (as DIGAN and TATS).
    """
    return _Sums(real, fake, degree=degree, gamma=gamma, coef0=coef0, blocks=1).mmd()


def kernel_jackknife(
    real: Tensor,
    fake: Tensor,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
    blocks: int = 32,
) -> Estimate:
    """`polynomial_mmd` with its block-jackknife standard error (the value is unbiased as it is)."""
    check_pair(real, fake)
    if min(len(real), len(fake)) < 3:
        return Estimate(polynomial_mmd(real, fake, degree=degree, gamma=gamma, coef0=coef0))
    blocks = min(blocks, len(real), len(fake))
    sums = _Sums(real, fake, degree=degree, gamma=gamma, coef0=coef0, blocks=blocks)
    estimate = block_jackknife(sums.mmd(), sums.mmd, blocks)
    return Estimate(estimate.value, estimate.standard_error)


class KernelDistance(TwoSets):
    """Polynomial-kernel MMD as a torchmetrics metric: `kvd/<extractor>`.

    Args:
        degree, gamma, coef0: of the kernel (gamma x.y + coef0)^degree; gamma None means 1/D.
    """

    name = "kvd"
    higher_is_better = False

    def __init__(self, *, degree: int = 3, gamma: float | None = None, coef0: float = 1.0) -> None:
        super().__init__()
        _check_kernel(degree, gamma)
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0

    @property
    def stamp(self) -> str:
        gamma = "1/D" if self.gamma is None else f"{self.gamma:g}"
        return f"deg{self.degree},gamma={gamma},coef{self.coef0:g}"

    def compute(self) -> Tensor:
        """The squared MMD, a float64 scalar on the CPU."""
        value = polynomial_mmd(*self.sets(), degree=self.degree, gamma=self.gamma, coef0=self.coef0)
        return torch.tensor(value, dtype=torch.float64)

    def measure(self, real: Tensor, fake: Tensor) -> Estimate:
        """The squared MMD of real (N, D) and fake (M, D) features with its standard error; keeps nothing."""
        return kernel_jackknife(real, fake, degree=self.degree, gamma=self.gamma, coef0=self.coef0)

    def warnings(self, real: int, fake: int, dim: int) -> list[str]:
        """Nothing: the value is unbiased for any number of clips."""
        return []


class _Sums:
    """Sums of the three kernel matrices by pair of blocks, from which any block can be left out at no cost."""

    def __init__(
        self,
        real: Tensor,
        fake: Tensor,
        *,
        degree: int,
        gamma: float | None,
        coef0: float,
        blocks: int,
    ) -> None:
        check_pair(real, fake)
        _check_kernel(degree, gamma)
        self.degree, self.coef0 = degree, coef0
        self.gamma = 1.0 / real.shape[1] if gamma is None else gamma
        real, fake = (features.detach().to("cpu", torch.float64) for features in (real, fake))
        of_real, of_fake = (_membership(len(features), blocks) for features in (real, fake))
        self.real_sizes, self.fake_sizes = of_real.sum(dim=0), of_fake.sum(dim=0)
        self.real = self._between(real, of_real, real, of_real)
        self.fake = self._between(fake, of_fake, fake, of_fake)
        self.cross = self._between(real, of_real, fake, of_fake)
        self.real_diagonal = of_real.T @ self._kernel(real.square().sum(dim=1))
        self.fake_diagonal = of_fake.T @ self._kernel(fake.square().sum(dim=1))

    def mmd(self, without: int | None = None) -> float:
        """The unbiased squared MMD of all blocks, or of all but block `without` on both sides."""
        keep = torch.ones(len(self.real), dtype=torch.bool)
        if without is not None:
            keep[without] = False
        n, m = self.real_sizes[keep].sum(), self.fake_sizes[keep].sum()
        real = self.real[keep][:, keep].sum() - self.real_diagonal[keep].sum()
        fake = self.fake[keep][:, keep].sum() - self.fake_diagonal[keep].sum()
        cross = self.cross[keep][:, keep].sum()
        return float(real / (n * (n - 1)) + fake / (m * (m - 1)) - 2 * cross / (n * m))

    def _between(self, x: Tensor, of_x: Tensor, y: Tensor, of_y: Tensor) -> Tensor:
        """Kernel values summed by block of x (rows) and block of y (columns), a piece of the matrix at a time."""
        sums = torch.zeros(of_x.shape[1], of_y.shape[1], dtype=torch.float64)
        for rows, of_rows in zip(x.split(_PIECE), of_x.split(_PIECE), strict=True):
            for columns, of_columns in zip(y.split(_PIECE), of_y.split(_PIECE), strict=True):
                sums += of_rows.T @ self._kernel(rows @ columns.T) @ of_columns
        return sums

    def _kernel(self, products: Tensor) -> Tensor:
        return (self.gamma * products + self.coef0).pow(self.degree)


def _membership(samples: int, blocks: int) -> Tensor:
    """(samples, blocks) of 0 and 1, float64."""
    return F.one_hot(deal_blocks(samples, blocks), blocks).double()


def _check_kernel(degree: int, gamma: float | None) -> None:
    if degree < 1:
        raise ValueError(f"degree {degree} of the polynomial kernel; expected 1 or more")
    if gamma is not None and gamma <= 0:
        raise ValueError(f"gamma {gamma:g} of the polynomial kernel; expected more than 0, or null for 1/D")
