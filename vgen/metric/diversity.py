"""Diversity: how far apart distinct clips of one set are."""

import math
from typing import Literal

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate
from vgen.metric.two_sets import TwoSets, check_features, check_pair

_AXES = "clips, frames, features"
_PIECE = 64  # clips held in float64 at once


def mean_pairwise_distance(features: Tensor) -> Estimate:
    """Mean over all N (N - 1) / 2 pairs of clips of the squared distance of time-aligned frames, float64.

    d(x, y) = mean_t |x_t - y_t|^2 for features (N, T, D). No pairs are drawn: the mean over all of them is twice the
    trace of the covariance (divisor N - 1), averaged over t. The standard error is that of a U-statistic to first
    order, 2 std_i(mean_j d(x_i, x_j)) / sqrt(N) (Hoeffding 1948). Raises ValueError for fewer than 2 clips.
    """
    check_features(features, "these", axes=_AXES)
    clips, frames = features.shape[:2]
    mean = features.mean(dim=0, dtype=torch.float64)
    from_mean = torch.cat(
        [(part.double() - mean).square().sum(dim=(1, 2)) / frames for part in features.split(_PIECE)]
    )
    of_clip = (from_mean + from_mean.mean()) * clips / (clips - 1)  # mean distance of each to the others
    return Estimate(float(of_clip.mean()), 2 * float(of_clip.std()) / math.sqrt(clips))


def unit_length(features: Tensor) -> Tensor:
    """Features (..., D) scaled to length sqrt(1/2), so that squared distances are 1 - cos."""
    return features / (math.sqrt(2) * features.norm(dim=-1, keepdim=True)).clamp(min=1e-12)


class Diversity(TwoSets):
    """`diversity/<extractor>`: mean distance of time-aligned frames over all pairs of distinct clips; higher is more.

    On "perceptual" the distance is LPIPS; on "frames", the features of any frame extractor, it is 1 - cos. The real
    clips' value is in `Estimate.real`: a set of noise is more diverse than any real one, so more is better only up to
    there. There is no reference code for "LPIPS diversity", and papers differ in pairs, net and frames; here the pairs
    are all there are, and net, frames and size are those of the extractor, whose fingerprint is in the result.

    Args:
        reads: "perceptual" (vgen.extractor.perceptual) or "frames".
    """

    names = ("diversity",)

    def __init__(self, *, reads: Literal["perceptual", "frames"] = "perceptual") -> None:
        super().__init__()
        if reads not in ("perceptual", "frames"):
            raise ValueError(f"reads={reads!r} of the diversity; choose perceptual or frames")
        self.reads = reads

    @property
    def stamp(self) -> str:
        distance = "LPIPS" if self.reads == "perceptual" else "1-cos"
        return f"{distance},all pairs,aligned frames"

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """The diversity of fake (M, T, D) with its standard error; `real` is that of real (N, T, D)."""
        check_pair(real, fake, axes=_AXES)
        if self.reads == "frames":
            real, fake = unit_length(real), unit_length(fake)
        of_fake = mean_pairwise_distance(fake)
        estimate = Estimate(of_fake.value, of_fake.standard_error, real=mean_pairwise_distance(real).value)
        return {"diversity": estimate}
