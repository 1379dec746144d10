"""The relativistic pairing loss."""

from torch import Tensor
from torch.nn.functional import softplus


class Relativistic:
    """Sigmoid cross-entropy of how much more real one real clip is than one generated clip (RpGAN).

    D: E[softplus(-(D(real) - D(fake)))]; G: E[softplus(-(D(fake) - D(real)))], row i of the one with row i of
    the other, for patches position by position.

    Source: Jolicoeur-Martineau 2019, arXiv 1807.00734; the loss of R3GAN (Huang et al. 2024, arXiv 2501.05441), which
    adds R1 and R2 at every step: regularizer=r1r2.
    """

    relativistic = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        _check_pairs(real, fake)
        return softplus(fake - real).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        _check_pairs(real, fake)
        return softplus(real - fake).mean()


def _check_pairs(real: Tensor, fake: Tensor) -> None:
    if real.shape != fake.shape:
        raise ValueError(
            f"loss=relativistic pairs each real logit with a generated one, but they are {tuple(real.shape)} and "
            f"{tuple(fake.shape)}; make the clips equally long, or use loss=relativistic_average"
        )
