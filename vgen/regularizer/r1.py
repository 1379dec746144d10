"""R1: the discriminator's gradient at real clips."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from vgen.clip import Player, Step
from vgen.layer.score import clip_score, score_gradient


class R1:
    """0.5 E[ |d score / d real|^2 ] (Mescheder et al. 2018, arXiv 1801.04406; `weight` is its gamma).

    The score of a clip is the sum over heads of the mean of the head's logits; the squared gradient is summed
    over C, T, H, W and averaged over clips; with frames="mean" it is averaged over T instead, so that gamma means what
    it does for images (StyleGAN-V, universome/stylegan-v: src/training/loss.py). Differentiates the judgement of the
    real clips that the loss uses.

    Args:
        frames: "sum" or "mean" over the frames of a clip.
        at: "clip", or "levels": the gradient is the one at what each level of the discriminator has looked at, smaller
            frames or fewer, and its squares are summed over the levels (TGANv2, Saito et al. 2020, arXiv 1811.09245).
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset({"real"})

    def __init__(
        self,
        *,
        weight: float = 10.0,
        interval: int = 1,
        frames: Literal["sum", "mean"] = "sum",
        at: Literal["clip", "levels"] = "clip",
    ):
        if frames not in ("sum", "mean"):
            raise ValueError(f"regularizer.r1.frames={frames}: must be sum or mean")
        if at not in ("clip", "levels"):
            raise ValueError(f"regularizer.r1.at={at}: must be clip or levels")
        self.weight = weight
        self.interval = interval
        self.frames = frames
        self.at = at

    def __call__(self, step: Step) -> Tensor:
        squares = [self._over_frames(gradient.square()) for gradient in self._gradients(step)]
        return 0.5 * torch.stack(squares).sum(0).mean()

    def _gradients(self, step: Step) -> Sequence[Tensor]:
        if self.at == "clip":
            return [score_gradient(step.on_real, step.real.video)]
        if not step.on_real.views:
            raise ValueError(
                "regularizer.r1.at=levels needs a discriminator that looks at several levels of detail; set "
                "discriminator=tganv2, or regularizer.r1.at=clip"
            )
        total = clip_score(step.on_real).sum()
        return torch.autograd.grad(total, step.on_real.views, create_graph=True)

    def _over_frames(self, squares: Tensor) -> Tensor:
        each = squares.sum(dim=(1, 3, 4))  # (B, T)
        return each.sum(1) if self.frames == "sum" else each.mean(1)
