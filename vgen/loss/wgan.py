"""The Wasserstein loss."""

from torch import Tensor


class WGAN:
    """Difference of mean scores; D needs a Lipschitz bound, e.g. regularizer=wgan_gp.

    Source: Arjovsky et al. 2017, arXiv 1701.07875, eq. 2-3.
    Each term is the mean over all logits, of clips and of patches.
    """

    relativistic = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()
