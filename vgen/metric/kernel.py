"""Kernel distance between two sets of features: the unbiased squared MMD with a polynomial kernel (KVD)."""

from dataclasses import dataclass

from torch import Tensor

from vgen.metric.jackknife import Estimate
from vgen.metric.mmd import mmd_jackknife, squared_mmd
from vgen.metric.two_sets import TwoSets


@dataclass(frozen=True)
class PolynomialKernel:
    """(gamma x.y + coef0)^degree; gamma None means 1/D.

    gamma = 1 instead of 1/D makes a KVD about D^3 times larger, so the stamp names it.
    """

    degree: int = 3
    gamma: float | None = None
    coef0: float = 1.0

    def __post_init__(self) -> None:
        if self.degree < 1:
            raise ValueError(f"degree {self.degree} of the polynomial kernel; expected 1 or more")
        if self.gamma is not None and self.gamma <= 0:
            raise ValueError(
                f"gamma {self.gamma:g} of the polynomial kernel; expected more than 0, or null for 1/D"
            )

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, D), (M, D) -> (N, M)."""
        return self._of(x @ y.T, x.shape[1])

    def diagonal(self, x: Tensor) -> Tensor:
        """(N, D) -> (N,), the kernel of each row with itself."""
        return self._of(x.square().sum(dim=1), x.shape[1])

    @property
    def stamp(self) -> str:
        gamma = "1/D" if self.gamma is None else f"{self.gamma:g}"
        return f"deg{self.degree},gamma={gamma},coef{self.coef0:g}"

    def _of(self, products: Tensor, dim: int) -> Tensor:
        gamma = 1 / dim if self.gamma is None else self.gamma
        return (gamma * products + self.coef0).pow(self.degree)


def polynomial_mmd(
    real: Tensor, fake: Tensor, *, degree: int = 3, gamma: float | None = None, coef0: float = 1.0
) -> float:
    """Unbiased squared MMD of real (N, D) and fake (M, D) features under (gamma x.y + coef0)^degree, in float64.

    gamma None means 1/D. N and M may differ; the value may be negative. Memory does not grow with N. Raises
    ValueError for fewer than 2 clips, different D, or features that are not finite. Source: Binkowski et al.,
    Demystifying MMD GANs (arXiv 1801.01401), eq. 4, on all samples rather than subsets (as DIGAN and TATS).
    """
    kernel = PolynomialKernel(degree, gamma, coef0)
    return squared_mmd(real, fake, kernel, kernel.diagonal)


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
    kernel = PolynomialKernel(degree, gamma, coef0)
    return mmd_jackknife(real, fake, kernel, kernel.diagonal, blocks=blocks)


class KernelDistance(TwoSets):
    """Polynomial-kernel MMD as a torchmetrics metric: `kvd/<extractor>`.

    Args:
        degree, gamma, coef0: of the kernel (gamma x.y + coef0)^degree; gamma None means 1/D.
    """

    names = ("kvd",)

    def __init__(self, *, degree: int = 3, gamma: float | None = None, coef0: float = 1.0) -> None:
        super().__init__()
        self.kernel = PolynomialKernel(degree, gamma, coef0)

    @property
    def stamp(self) -> str:
        return self.kernel.stamp

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The squared MMD of real (N, D) and fake (M, D) features."""
        return {"kvd": squared_mmd(real, fake, self.kernel, self.kernel.diagonal)}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with its block-jackknife standard error."""
        return {"kvd": mmd_jackknife(real, fake, self.kernel, self.kernel.diagonal)}
