"""R1: the discriminator's gradient at real clips."""

from typing import Literal

import torch
from torch import Tensor

from vgen.clip import Player, Step
from vgen.layer.score import clip_score, score_gradient


class R1:
    """0.5 E[ |d score / d real|^2 ] (Mescheder et al. 2018, arXiv 1801.04406; `weight` is its gamma).

    The score of a clip is the sum over heads of the mean of the head's logits; the squared gradient is summed
    over C, T, H, W and averaged over clips. Differentiates the judgement of the real clips that the loss
    uses.

    Args:
        at: "clip", or "levels": the gradient is the one at what each level of the discriminator has looked at, smaller
            frames or fewer, and its squares are summed over the levels (TGANv2, Saito et al. 2020, arXiv 1811.09245).
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset({"real"})

    def __init__(self, *, weight: float = 10.0, interval: int = 1, at: Literal["clip", "levels"] = "clip"):
        if at not in ("clip", "levels"):
            raise ValueError(f"at={at} of r1: clip or levels")
        self.weight = weight
        self.interval = interval
        self.at = at

    def __call__(self, step: Step) -> Tensor:
        if self.at == "clip":
            gradients = [score_gradient(step.on_real, step.real.video)]
        elif step.on_real.views:
            total = clip_score(step.on_real).sum()
            gradients = torch.autograd.grad(total, step.on_real.views, create_graph=True)
        else:
            raise ValueError(
                "regularizer.r1.at=levels needs a discriminator that looks at several levels of detail; set "
                "discriminator=tganv2, or regularizer.r1.at=clip"
            )
        squares = [gradient.square().sum(dim=(1, 2, 3, 4)) for gradient in gradients]
        return 0.5 * torch.stack(squares).sum(0).mean()
