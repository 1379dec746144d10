"""R1: the discriminator's gradient at real clips."""

from torch import Tensor

from vgen.clip import Player, Step
from vgen.layer.score import score_gradient


class R1:
    """0.5 E[ |d score / d real|^2 ] (Mescheder et al. 2018, arXiv 1801.04406, eq. 9; `weight` is its gamma).

    The score of a clip is the sum over heads of the mean of the head's logits; the squared gradient is summed
    over C, T, H, W and averaged over clips. Differentiates the judgement of the real clips that the loss
    uses.
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset({"real"})

    def __init__(self, *, weight: float = 10.0, interval: int = 1):
        self.weight = weight
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        gradient = score_gradient(step.on_real, step.real.video)
        return 0.5 * gradient.square().sum(dim=(1, 2, 3, 4)).mean()
