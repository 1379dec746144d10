"""Approximate R1 and R2: how much a little noise on a clip changes its score."""

from typing import Literal

from torch import Tensor

from vgen.clip import Player, Step
from vgen.layer.clip_noise import clip_noise
from vgen.layer.score import clip_score
from vgen.rng import repeat


class ApproximateR1:
    """E[ (score(clip) - score(clip + sigma n))^2 ] with n ~ N(0, I): a finite difference in place of a gradient.

    For small sigma it is sigma^2 E[ |d score / d clip|^2 ], that is R1 (or R2, for clips "fake") of
    gamma = 2 weight sigma^2. It needs one more pass of the discriminator and no gradient of a gradient, so it works
    with layers that cannot be differentiated twice, and in less memory. The noisy clip gets the augmentation, noise
    and choice of frames of the first judgement, lest their changes pass for those of the noise.

    Runs in the precision of the loss's own pass. In bfloat16, whose step next to 1 is 0.008, a sigma far below the
    paper's 0.1 measures rounding.

    Source: APT, Lin et al. 2025, arXiv 2501.08316 (weight 100; sigma 0.01 for images, 0.1 for video); AAPT, Lin et
    al. 2025, arXiv 2506.09350, adds the same on generated clips (weight 1000, sigma 0.1).

    Args:
        clips: "real" for R1, "fake" for R2.
        sigma: standard deviation of the noise, in pixels in [-1, 1].
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        clips: Literal["real", "fake"] = "real",
        weight: float = 100.0,
        sigma: float = 0.1,
        interval: int = 1,
    ):
        if clips not in ("real", "fake"):
            raise ValueError(f"clips of approximate_r1 must be real (R1) or fake (R2), not {clips!r}")
        if sigma <= 0:
            raise ValueError(f"sigma={sigma} of approximate_r1: without noise there is nothing to compare")
        self.clips = clips
        self.weight = weight
        self.sigma = sigma
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        clip, judged = (step.real, step.on_real) if self.clips == "real" else (step.fake, step.on_fake)
        video = clip.video.detach()
        noisy = (video + self.sigma * clip_noise(video)).to(video.dtype)
        with repeat(judged.draws):
            again = step.judge(clip.with_video(noisy))
        change = _wide(clip_score(judged)) - _wide(clip_score(again))
        return change.square().mean()


def _wide(score: Tensor) -> Tensor:
    return score if score.dtype.itemsize >= 4 else score.float()
