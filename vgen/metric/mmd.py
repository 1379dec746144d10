"""The unbiased squared MMD between two sets of features under any kernel, with its block jackknife."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.metric.jackknife import Estimate, block_jackknife, deal_blocks
from vgen.metric.two_sets import check_pair

# (N, D), (M, D) -> (N, M), and row by row: (N, D) -> (N,) of each row with itself
Kernel = Callable[[Tensor, Tensor], Tensor]
Diagonal = Callable[[Tensor], Tensor]

_PIECE = 2048  # rows and columns of the kernel matrix held at once: 32 MiB


def squared_mmd(real: Tensor, fake: Tensor, kernel: Kernel, diagonal: Diagonal) -> float:
    """E k(x, x') + E k(y, y') - 2 E k(x, y) over distinct clips, in float64; may be negative.

    Features (N, D) and (M, D). Memory does not grow with N. Raises ValueError for fewer than 2 clips, different
    D, or features that are not finite. Source: Gretton et al., A Kernel Two-Sample Test (JMLR 2012), eq. 3, with
    all pairs across the sets.
    """
    return _Sums(real, fake, kernel, diagonal, blocks=1).mmd()


def mmd_jackknife(
    real: Tensor, fake: Tensor, kernel: Kernel, diagonal: Diagonal, *, blocks: int = 32
) -> Estimate:
    """`squared_mmd` with its block-jackknife standard error (the value is unbiased as it is)."""
    check_pair(real, fake)
    if min(len(real), len(fake)) < 3:
        return Estimate(squared_mmd(real, fake, kernel, diagonal))
    blocks = min(blocks, len(real), len(fake))
    sums = _Sums(real, fake, kernel, diagonal, blocks=blocks)
    if min(int(sums.real_sizes.sum() - sums.real_sizes.max()), len(fake) - int(sums.fake_sizes.max())) < 2:
        return Estimate(sums.mmd())
    estimate = block_jackknife(sums.mmd(), sums.mmd, blocks)
    return Estimate(estimate.value, estimate.standard_error)


class _Sums:
    """Sums of the three kernel matrices by pair of blocks, from which any block can be left out at no cost."""

    def __init__(
        self, real: Tensor, fake: Tensor, kernel: Kernel, diagonal: Diagonal, *, blocks: int
    ) -> None:
        check_pair(real, fake)
        self.kernel = kernel
        real, fake = (features.detach().to("cpu", torch.float64) for features in (real, fake))
        of_real, of_fake = (_membership(len(features), blocks) for features in (real, fake))
        self.real_sizes, self.fake_sizes = of_real.sum(dim=0), of_fake.sum(dim=0)
        self.real = self._between(real, of_real, real, of_real)
        self.fake = self._between(fake, of_fake, fake, of_fake)
        self.cross = self._between(real, of_real, fake, of_fake)
        self.real_diagonal = of_real.T @ diagonal(real)
        self.fake_diagonal = of_fake.T @ diagonal(fake)

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
                sums += of_rows.T @ self.kernel(rows, columns) @ of_columns
        return sums


def _membership(samples: int, blocks: int) -> Tensor:
    """(samples, blocks) of 0 and 1, float64."""
    return F.one_hot(deal_blocks(samples, blocks), blocks).double()
