"""The original minimax loss."""

from torch import Tensor
from torch.nn.functional import softplus


class Minimax:
    """Sigmoid cross-entropy; G minimises log(1 - D(fake)), whose gradient vanishes where G is worst.

    Source: Goodfellow et al. 2014, arXiv 1406.2661, eq. 1; see `nonsaturating` for what they train with.
    Each term is the mean over all logits, of clips and of patches.
    """

    relativistic = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -softplus(fake).mean()
