"""Feature matching: generated clips have the features of real ones on average."""

import torch
from torch import Tensor

from vgen.clip import Player, Step
from vgen.layer.processes import over_processes


class FeatureMatching:
    """Sum over features f of |E f(real) - E f(fake)|^2 (Salimans et al. 2016, arXiv 1606.03498, §3.1).

    E is the mean over the clips of all processes, |.|^2 the mean over the numbers of a feature, so that `weight` does
    not depend on widths. Features of generated clips are those of the loss's own judgement; real clips are judged
    once more, without gradients, unless the loss has judged them.
    """

    player: Player = "generator"
    differentiates: frozenset[str] = frozenset()

    def __init__(self, *, weight: float = 1.0, interval: int = 1):
        self.weight = weight
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        fake = step.on_fake.features
        if not fake:
            raise ValueError(
                "regularizer=feature_matching needs a discriminator that gives features "
                f"(Judgement.features), which {type(step.discriminator).__name__} does not; choose another one"
            )
        real = step.on_real.features
        if not real:
            with torch.no_grad():
                real = step.judge(step.real).features
        terms = [(_mean(real[name].detach()) - _mean(fake[name])).square().mean() for name in fake]
        return torch.stack(terms).sum()


def _mean(feature: Tensor) -> Tensor:
    """(B, ...) -> (...), in float32 at least."""
    return over_processes(feature.to(torch.promote_types(feature.dtype, torch.float32)).mean(0))
