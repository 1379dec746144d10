"""The hinge loss."""

from torch import Tensor
from torch.nn.functional import relu


class Hinge:
    """Margin loss on D, linear loss on G.

    Source: Lim & Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, eq. 16-17.
    Each term is the mean over all logits, of clips and of patches.
    """

    relativistic = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()
