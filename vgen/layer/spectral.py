"""Spectral normalisation of all layers of a network."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from vgen.layer.matrix import weight_scale, weighted_layers


def add_spectral_norm(network: nn.Module, *, iterations: int = 1) -> int:
    """Divide the weight of every layer, as it is used, by its largest singular value; returns how many there are.

    `iterations` of the power method run each time a weight is used in training (Miyato et al. 2018, arXiv
    1802.05957). Layers whose weight is reparametrised already stay as they are.

    Raises ValueError for a layer whose weight is 0, as the last ones of norm-free residual blocks are at first, and for
    a network that runs stages again for the backward pass: the power method would run again with them.
    """
    if any(getattr(part, "checkpointing", False) for part in network.modules()):
        raise ValueError(
            f"spectral norm does not go with {type(network).__name__}'s checkpointing, which runs layers twice; "
            "set checkpointing=false there"
        )
    layers = [
        (name, layer)
        for name, layer in weighted_layers(network)
        if not parametrize.is_parametrized(layer, "weight")
    ]
    for name, layer in layers:
        if not layer._parameters["weight"].any():  # pyright: ignore[reportOptionalMemberAccess]
            raise ValueError(
                f"spectral norm cannot divide {type(network).__name__}.{name} by its largest singular value, for it "
                "starts at 0; leave regularizer=spectral_norm out (r1r2 bounds such a network), or choose another one"
            )
        parametrizations.spectral_norm(layer, n_power_iterations=iterations)
        if weight_scale(layer) != 1:
            parametrize.register_parametrization(layer, "weight", _Divide(weight_scale(layer)))
    return len(layers)


class _Divide(nn.Module):
    """Takes the scale of an equalised learning rate away, which would leave a norm far below 1 in use."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, weight: Tensor) -> Tensor:
        return weight / self.scale


@torch.no_grad()
def refresh_spectral_norm(network: nn.Module) -> None:
    """One iteration for every normalised weight of a network in evaluation, whose weights were changed from outside.

    Averages of singular vectors are no unit vectors and would make the largest singular value look too small.
    """
    for _, layer in weighted_layers(network):
        if not parametrize.is_parametrized(layer, "weight"):
            continue
        steps = cast(nn.ModuleDict, layer.parametrizations)["weight"]
        if any(isinstance(step, parametrizations._SpectralNorm) for step in steps.children()):
            was = steps.training
            steps.train()
            steps()
            steps.train(was)
