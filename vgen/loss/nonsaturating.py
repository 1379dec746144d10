"""The non-saturating logistic loss."""

from torch import Tensor
from torch.nn.functional import softplus


class NonSaturating:
    """Sigmoid cross-entropy; G maximises log D(fake).

    Source: Goodfellow et al. 2014, arXiv 1406.2661, §3.
    Each term is the mean over all logits, of clips and of patches.
    """

    relativistic = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()
