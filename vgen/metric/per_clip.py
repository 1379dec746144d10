"""Statistics that are a mean over clips of something each clip has by itself."""

import math

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate
from vgen.metric.two_sets import TwoSets, check_pair


def mean_estimate(fake: Tensor, real: Tensor) -> Estimate:
    """Mean of fake (M,) with its standard error, std / sqrt(M), beside the mean of real (N,); float64."""
    error = float(fake.std()) / math.sqrt(len(fake)) if len(fake) > 1 else None
    return Estimate(float(fake.mean()), error, real=float(real.mean()))


class PerClip(TwoSets):
    """A metric whose value is the mean over fake clips, with the mean over real clips beside it.

    The standard error takes clips as independent; where several come from one video it is too small.
    A subclass has `names`, `reads`, `stamp`, `axes` (what the dimensions of its features are) and `per_clip`.
    """

    axes: str = "clips, frames, features"

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        """Features (N, ...) float64 -> name -> the statistic of each clip (N,) float64."""
        raise NotImplementedError

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """Name -> mean over fake (M, ...) with its standard error; `real` is the mean over real (N, ...)."""
        check_pair(real, fake, axes=self.axes)
        of_real, of_fake = (self.per_clip(side.detach().to("cpu", torch.float64)) for side in (real, fake))
        return {name: mean_estimate(of_fake[name], of_real[name]) for name in self.names}
