"""The least-squares loss."""

from torch import Tensor


class LSGAN:
    """D pulls logits of real clips to one value and those of generated clips to another, G its own to a third.

    D: 0.5 E[(D(real) - real_target)^2] + 0.5 E[(D(fake) - fake_target)^2]; G: 0.5 E[(D(fake) - goal)^2].

    Source: Mao et al. 2017, arXiv 1611.04076. The defaults are its 0-1 coding; -1, 1 and goal 0 minimise the Pearson
    chi^2 divergence (its "Parameters Selection"). Each term is the mean over all logits, of clips and of patches.

    Args:
        fake_target, real_target: the paper's a and b.
        goal: its c, what G wants D to say of generated clips.
    """

    relativistic = False

    def __init__(self, *, fake_target: float = 0.0, real_target: float = 1.0, goal: float = 1.0):
        if fake_target == real_target:
            raise ValueError(
                f"loss.fake_target and loss.real_target are both {real_target}: D would learn nothing"
            )
        self.fake_target = fake_target
        self.real_target = real_target
        self.goal = goal

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (_distance(real, self.real_target) + _distance(fake, self.fake_target))

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * _distance(fake, self.goal)


def _distance(logits: Tensor, target: float) -> Tensor:
    return (logits - target).square().mean()
