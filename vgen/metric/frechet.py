"""Frechet distance between two sets of features: FVD of clips, FID of frames, with whatever extractor made them."""

from typing import Literal

import torch
from torch import Tensor

from vgen.metric.frechet_error import frechet_jackknife
from vgen.metric.gaussian import Divisor, check_divisor, frechet_from_moments, in_joint_span, moments
from vgen.metric.jackknife import Estimate
from vgen.metric.two_sets import TwoSets, check_pair

AXES = {"clip": "clips, features", "frames": "clips, frames, features"}


def frechet_distance(real: Tensor, fake: Tensor, *, divisor: Divisor = "N-1") -> float:
    """|mu_r - mu_f|^2 + Tr(S_r + S_f - 2 (S_r S_f)^(1/2)) of real (N, D) and fake (M, D) features, in float64.

    Features of frames (N, T, D) count as N T vectors. `divisor` of the covariances: "N-1" in the TF reference,
    VideoGPT, DIGAN, TATS; "N" in StyleGAN-V and cd-fvd. The value has the unit of a squared feature.

    Exact where covariances lack rank (N <= D). Raises ValueError for fewer than 2 clips, different D, or
    features that are not finite. Source: Unterthiner et al., Towards Accurate Generative Models of Video
    (arXiv 1812.01717), eq. 2; Heusel et al. (arXiv 1706.08500) for frames.
    """
    check_pair(real, fake, axes=AXES["frames" if real.ndim == 3 else "clip"])
    real, fake = in_joint_span(real, fake)
    return frechet_from_moments(*moments(real, divisor=divisor), *moments(fake, divisor=divisor))


class FrechetDistance(TwoSets):
    """Frechet distance as a torchmetrics metric: `fvd/<extractor>`, or `fid/<extractor>` of frames.

    The standard error takes clips as independent (frames of one clip never are). Where a protocol takes several
    clips of one video, or repeats videos, it is too small by up to the square root of the clips per video.

    Args:
        divisor: of the covariances, "N-1" or "N"; see `frechet_distance`.
        reads: "clip" for one vector per clip (fvd), "frames" for one vector per frame (fid).
    """

    def __init__(self, *, divisor: Divisor = "N-1", reads: Literal["clip", "frames"] = "clip") -> None:
        super().__init__()
        check_divisor(divisor)
        if reads not in AXES:
            raise ValueError(f"reads={reads!r} of the Frechet distance; choose clip or frames")
        self.divisor: Divisor = divisor
        self.reads = reads
        self.names = ("fvd",) if reads == "clip" else ("fid",)

    @property
    def stamp(self) -> str:
        return self.divisor

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The distance of real (N, D) and fake (M, D) features, or (N, T, D) and (M, T, D) of frames."""
        check_pair(real, fake, axes=AXES[self.reads])
        return {self.names[0]: frechet_distance(real, fake, divisor=self.divisor)}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with its uncertainty; see `frechet_jackknife`."""
        check_pair(real, fake, axes=AXES[self.reads])
        return {self.names[0]: frechet_jackknife(real, fake, divisor=self.divisor)}

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """Too few clips for the number of features; a side without any variance."""
        name, dim = self.names[0], real.shape[-1]
        said = [
            f"{name}: all {len(features)} {side} clips have the same features, their covariance is 0"
            for side, features in (("real", real), ("fake", fake))
            if torch.equal(features, features[:1].expand_as(features))
        ]
        clips = min(len(real), len(fake))
        vectors = min(features[..., 0].numel() for features in (real, fake))
        if vectors <= dim:
            said.append(
                f"{name}: {vectors} {'clips' if self.reads == 'clip' else 'frames'} for {dim} features: "
                "covariances lack rank and the value is dominated by the number of clips; compare only with "
                "values of the same number, or use more clips"
            )
        elif clips <= dim:
            said.append(
                f"{name}: {clips} clips for {dim} features; frames of one clip are not independent, so the value "
                "depends on the number of clips; compare only with values of the same number"
            )
        return said
