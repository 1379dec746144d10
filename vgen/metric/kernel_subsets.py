"""KID: the polynomial-kernel MMD averaged over random subsets, as frame and image metrics are published."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate, influence_error
from vgen.metric.kernel import PolynomialKernel
from vgen.metric.two_sets import TwoSets, check_pair

AXES = {"clip": "clips, features", "frames": "clips, frames, features"}


@dataclass(frozen=True)
class SubsetMMD:
    """Mean and population standard deviation of the MMD over subsets, and what each vector adds to the mean.

    `std` says how much one subset scatters, not how uncertain the mean is; that follows from the influences, the
    first-order changes of the mean with the weight of each real (N,) and fake (M,) vector.
    """

    mean: float
    std: float
    real_influence: Tensor
    fake_influence: Tensor


def subset_mmd(
    real: Tensor,
    fake: Tensor,
    *,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 2020,
    kernel: PolynomialKernel | None = None,
) -> SubsetMMD:
    """Unbiased squared MMD of `size` real and `size` fake vectors, averaged over `subsets` draws, in float64.

    Features (N, D) and (M, D). The draws are torch-fidelity's: `numpy.random.RandomState(seed)` chooses without
    replacement from the fakes (its input1), then from the reals. Raises ValueError for fewer than `size` vectors.
    Source: Binkowski et al., Demystifying MMD GANs (arXiv 1801.01401), sec. 4.
    """
    check_pair(real, fake)
    if min(len(real), len(fake)) < size:
        raise ValueError(
            f"kid: subsets of {size} cannot be drawn from {len(real)} real and {len(fake)} fake vectors; "
            f"set size to {min(len(real), len(fake))} or less"
        )
    kernel = kernel or PolynomialKernel()
    stream = np.random.RandomState(seed)
    influence = [torch.zeros(len(side), dtype=torch.float64) for side in (real, fake)]
    found = []
    for _ in range(subsets):
        of_fake = torch.from_numpy(stream.choice(len(fake), size, replace=False))
        of_real = torch.from_numpy(stream.choice(len(real), size, replace=False))
        x = real[of_real].detach().to("cpu", torch.float64)
        y = fake[of_fake].detach().to("cpu", torch.float64)
        cross = kernel(x, y)
        # mean kernel of each vector with the others of its side, less that with the other side
        of_x = (kernel(x, x).sum(dim=1) - kernel.diagonal(x)) / (size - 1) - cross.mean(dim=1)
        of_y = (kernel(y, y).sum(dim=1) - kernel.diagonal(y)) / (size - 1) - cross.mean(dim=0)
        found.append(float(of_x.mean() + of_y.mean()))
        influence[0][of_real] += 2 * (of_x - of_x.mean()) / (size * subsets)
        influence[1][of_fake] += 2 * (of_y - of_y.mean()) / (size * subsets)
    return SubsetMMD(float(np.mean(found)), float(np.std(found)), *influence)


class KernelSubsets(TwoSets):
    """Subset-averaged polynomial MMD as a torchmetrics metric: `kid/<extractor>`.

    The standard error is of the mean over the sets of clips, by each clip's influence on the subsets it is in
    (frames of one clip count together); it is not the scatter over subsets that codes print beside a KID.

    Args:
        reads: "frames" for one vector per frame, "clip" for one per clip.
        subsets, size, seed: of the draws; see `subset_mmd`. StyleGAN prints 1000 times this value.
        degree, gamma, coef0: of the kernel (gamma x.y + coef0)^degree; gamma None means 1/D.
    """

    names = ("kid",)

    def __init__(
        self,
        *,
        reads: Literal["clip", "frames"] = "frames",
        subsets: int = 100,
        size: int = 1000,
        seed: int = 2020,
        degree: int = 3,
        gamma: float | None = None,
        coef0: float = 1.0,
    ) -> None:
        super().__init__()
        if reads not in AXES:
            raise ValueError(f"reads={reads!r} of kid; choose clip or frames")
        if subsets < 1 or size < 2:
            raise ValueError(f"kid: {subsets} subsets of {size}; expected 1 or more, of 2 or more")
        self.reads = reads
        self.subsets, self.size, self.seed = subsets, size, seed
        self.kernel = PolynomialKernel(degree, gamma, coef0)

    @property
    def stamp(self) -> str:
        return f"{self.kernel.stamp},{self.subsets}x{self.size},seed{self.seed}"

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """The mean MMD of real (N, T, D) and fake (M, T, D) features of frames, or (N, D) and (M, D) of clips."""
        check_pair(real, fake, axes=AXES[self.reads])
        found = subset_mmd(
            real.reshape(-1, real.shape[-1]),
            fake.reshape(-1, fake.shape[-1]),
            subsets=self.subsets,
            size=self.size,
            seed=self.seed,
            kernel=self.kernel,
        )
        error = influence_error(
            found.real_influence.reshape(len(real), -1), found.fake_influence.reshape(len(fake), -1)
        )
        return {"kid": Estimate(found.mean, error)}
