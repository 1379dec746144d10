"""Consistency: the discriminator says the same of a clip and of the clip shifted and mirrored."""

from typing import Literal

import torch
from torch import Tensor

from vgen.clip import Clip, Judgement, Player, Step
from vgen.layer.augmented import augmented
from vgen.layer.shift_flip import shift_and_flip
from vgen.rng import repeat


class Consistency:
    """E[ (D(clip) - D(T(clip)))^2 ], summed over heads, T a random shift and mirror image, the same for all frames
    and for the small frames that a clip may have.

    On real clips it is CR (Zhang et al. 2020, arXiv 1910.12027), together with the term on generated clips bCR
    (Zhao et al. 2020, arXiv 2002.04724; both with weight 10): regularizer=balanced_consistency. The mean
    is over all logits, of clips and of patches. Runs the discriminator once more, with the augmentation, noise and
    choice of frames of the first judgement, so that T is all that differs.

    Args:
        clips: "real" or "fake".
        shift: largest shift as a fraction of the frame's side.
        flip: whether T mirrors; false for data with text or handedness.
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        clips: Literal["real", "fake"] = "real",
        weight: float = 10.0,
        interval: int = 1,
        shift: float = 0.125,
        flip: bool = True,
    ):
        if clips not in ("real", "fake"):
            raise ValueError(f"clips of consistency must be real or fake, not {clips!r}")
        if not 0 <= shift < 1:
            raise ValueError(f"shift={shift} of consistency: must be a fraction of the frame in [0, 1)")
        if shift == 0 and not flip:
            raise ValueError("consistency with shift=0 and flip=false changes nothing; allow one of them")
        self.clips = clips
        self.weight = weight
        self.interval = interval
        self.shift = shift
        self.flip = flip

    def __call__(self, step: Step) -> Tensor:
        clip, judged = (step.real, step.on_real) if self.clips == "real" else (step.fake, step.on_fake)
        changed = augmented(self._change, clip)
        with repeat(judged.draws):
            again = step.judge(changed)
        return squared_change(judged, again)

    def _change(self, clip: Clip) -> Clip:
        return clip.with_video(shift_and_flip(clip.video.detach(), shift=self.shift, flip=self.flip))


def squared_change(before: Judgement, after: Judgement) -> Tensor:
    """Mean squared difference of the logits, summed over heads, in float32 at least."""
    pairs = [(logits, after.logits[head]) for head, logits in before.logits.items()]
    wide = [(a.to(_wide(a)), b.to(_wide(b))) for a, b in pairs]
    return torch.stack([(a - b).square().mean() for a, b in wide]).sum()


def _wide(logits: Tensor) -> torch.dtype:
    return torch.promote_types(logits.dtype, torch.float32)
