"""Weight clipping: a discriminator whose parameters lie in a box."""

import torch
from torch import nn

from vgen.clip import Player, Step
from vgen.layer.matrix import weight_scale


class WeightClip:
    """Clips every parameter of the discriminator to [-bound, bound] after each of its updates.

    Of a layer with an equalised learning rate it is the weight as used that lies within: the stored one is N(0, 1) at
    first, and a hundredth of it in each layer would leave no score. No term of a loss.

    Source: WGAN, Arjovsky et al. 2017, arXiv 1701.07875, algorithm 1 (its c).
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset()
    weight = 1.0

    def __init__(self, *, bound: float = 0.01, interval: int = 1):
        if bound <= 0:
            raise ValueError(f"bound={bound} of weight_clip: must be above 0")
        self.bound = bound
        self.interval = interval

    def __call__(self, step: Step) -> None:
        """No term of the loss."""

    @torch.no_grad()
    def after_update(self, network: nn.Module) -> None:
        """Clip the parameters of `network`, in place."""
        for layer in network.modules():
            for name, parameter in layer.named_parameters(recurse=False):
                bound = self.bound / weight_scale(layer) if name == "weight" else self.bound
                parameter.clamp_(-bound, bound)
