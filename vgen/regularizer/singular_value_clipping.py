"""Singular value clipping: no layer of the discriminator stretches any direction."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from vgen.clip import Player, Step
from vgen.layer.matrix import from_rows, to_rows, weight_scale, weighted_layers


class SingularValueClipping:
    """Every `interval` updates, clips the singular values of the discriminator's weights to at most 1.

    Weights of convolutions and linear layers are taken as matrices (outputs, the rest), as they are used: those with an
    equalised learning rate times its scale. The gain of a batch norm is clipped to [0.01 s, s] with s the root of its
    running variance, so that the whole layer stretches nothing either. No term of a loss. An SVD of every weight costs
    more than spectral_norm's power method but leaves small singular values, and all below 1, as they were.

    Source: TGAN, Saito et al. 2017, arXiv 1611.06624, §4; interval and lower bound from pfnet-research/tgan.
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset()
    weight = 1.0

    def __init__(self, *, interval: int = 5):
        self.interval = interval

    def __call__(self, step: Step) -> None:
        """No term of the loss."""

    def prepare(self, network: nn.Module) -> None:
        """Refuse a network whose weights are bounded otherwise."""
        _check(network)

    @torch.no_grad()
    def after_update(self, network: nn.Module) -> None:
        """Clip the layers of `network`, in place."""
        _check(network)  # spectral norm may have been added after this term was prepared
        for _, layer in weighted_layers(network):
            weight = layer._parameters["weight"]
            if weight is not None and not isinstance(layer, nn.Embedding):
                rows = _clip(to_rows(weight, layer), 1 / weight_scale(layer))
                weight.copy_(from_rows(rows, layer, tuple(weight.shape)))
        for layer in network.modules():
            if isinstance(layer, _BatchNorm) and layer.weight is not None and layer.running_var is not None:
                spread = layer.running_var.sqrt()
                layer.weight.clamp_(0.01 * spread, spread)


def _check(network: nn.Module) -> None:
    for name, layer in weighted_layers(network):
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(
                f"singular_value_clipping: discriminator.{name} has spectral norm already; choose one of the two"
            )


def _clip(rows: Tensor, bound: float) -> Tensor:
    left, values, right = torch.linalg.svd(rows, full_matrices=False)
    # What exceeds the bound is taken away, so that a matrix without such values stays as it is to the last bit.
    return rows - (left * (values - bound).clamp_min(0)) @ right
