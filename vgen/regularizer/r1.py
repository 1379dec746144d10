"""R1: the discriminator's gradient at real clips."""

from typing import Literal

from torch import Tensor

from vgen.clip import Player, Step
from vgen.layer.score import score_gradient


class R1:
    """0.5 E[ |d score / d real|^2 ] (Mescheder et al. 2018, arXiv 1801.04406, eq. 9; `weight` is its gamma).

    The score of a clip is the sum over heads of the mean of the head's logits; the squared gradient is summed
    over C, T, H, W and averaged over clips; with frames="mean" it is averaged over T instead, so that gamma means what
    it does for images (StyleGAN-V, universome/stylegan-v: src/training/loss.py). Differentiates the judgement of the
    real clips that the loss uses.
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset({"real"})

    def __init__(self, *, weight: float = 10.0, interval: int = 1, frames: Literal["sum", "mean"] = "sum"):
        if frames not in ("sum", "mean"):
            raise ValueError(f"regularizer.r1.frames={frames}: must be sum or mean")
        self.weight = weight
        self.interval = interval
        self.frames = frames

    def __call__(self, step: Step) -> Tensor:
        gradient = score_gradient(step.on_real, step.real.video)
        squares = gradient.square().sum(dim=(1, 3, 4))  # (B, T)
        return 0.5 * (squares.sum(1) if self.frames == "sum" else squares.mean(1)).mean()
