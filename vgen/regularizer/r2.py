"""R2: the discriminator's gradient at generated clips."""

from torch import Tensor

from vgen.clip import Player, Step
from vgen.layer.score import score_gradient


class R2:
    """0.5 E[ |d score / d fake|^2 ] (Mescheder et al. 2018, arXiv 1801.04406; `weight` is its gamma).

    Score and norm are those of `vgen.regularizer.r1`. Together with R1 at every step it carries R3GAN (Huang et al.
    2024, arXiv 2501.05441): regularizer=r1r2. Differentiates the judgement of the generated clips that the loss uses.
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset({"fake"})

    def __init__(self, *, weight: float = 10.0, interval: int = 1):
        self.weight = weight
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        gradient = score_gradient(step.on_fake, step.fake.video)
        return 0.5 * gradient.square().sum(dim=(1, 2, 3, 4)).mean()
