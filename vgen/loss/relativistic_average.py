"""The relativistic average loss."""

from typing import Literal

from torch import Tensor
from torch.nn.functional import softplus

from vgen.layer.processes import global_mean


class RelativisticAverage:
    """Compares each logit with the mean logit of the other kind: r = D(real) - E D(fake), f = D(fake) - E D(real).

    "logistic" (RaSGAN)      D: E[softplus(-r)] + E[softplus(f)]      G: E[softplus(r)] + E[softplus(-f)]
    "least_squares" (RaLSGAN) D: E[(r - 1)^2] + E[(f + 1)^2]          G: E[(r + 1)^2] + E[(f - 1)^2]

    The means are those of the batch over all processes (of one part of it, under accumulation), and gradients pass
    through them. Each term is the mean over all logits, of clips and of patches.

    Source: Jolicoeur-Martineau 2019, arXiv 1807.00734. MoCoGAN-HD (Tian et al. 2021) trains with the second form.
    """

    relativistic = True

    def __init__(self, *, form: Literal["logistic", "least_squares"] = "logistic"):
        if form not in _PENALTIES:
            raise ValueError(f"loss.form must be {' or '.join(_PENALTIES)}, not {form!r}")
        self.form = form

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return self._prefer(real, fake)

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return self._prefer(fake, real)

    def _prefer(self, better: Tensor, worse: Tensor) -> Tensor:
        """Small where `better` lies above the mean of `worse`, and `worse` below that of `better`."""
        penalty = _PENALTIES[self.form]
        above, below = better - global_mean(worse), worse - global_mean(better)
        return penalty(above).mean() + penalty(-below).mean()


def _logistic(margin: Tensor) -> Tensor:
    return softplus(-margin)


def _least_squares(margin: Tensor) -> Tensor:
    return (margin - 1).square()


_PENALTIES = {"logistic": _logistic, "least_squares": _least_squares}
