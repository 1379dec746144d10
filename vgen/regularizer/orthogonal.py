"""Orthogonal regularisation: the outputs of a layer respond to different things."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vgen.clip import Player, Step
from vgen.layer.matrix import to_rows, weighted_layers


class Orthogonal:
    """Sum over layers of |W W^T * (1 - I)|^2, W the weight as a matrix (outputs, the rest).

    Leaves the norms of rows free (BigGAN, Brock et al. 2019, arXiv 1809.11096). With `unit_rows` it is
    |W W^T - I|^2 (Brock et al. 2017, arXiv 1609.07093). Convolutions and linear layers only. Float32 also under
    autocast.
    """

    differentiates: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        player: Player = "generator",
        weight: float = 1e-4,
        interval: int = 1,
        unit_rows: bool = False,
    ):
        if player not in ("discriminator", "generator"):
            raise ValueError(f"player of orthogonal must be discriminator or generator, not {player!r}")
        self.player: Player = player
        self.weight = weight
        self.interval = interval
        self.unit_rows = unit_rows

    def __call__(self, step: Step) -> Tensor:
        network = step.generator if self.player == "generator" else step.discriminator
        layers = [layer for _, layer in weighted_layers(network) if not isinstance(layer, nn.Embedding)]
        with torch.autocast(step.real.video.device.type, enabled=False):
            terms = [self._of(to_rows(_weight(layer), layer)) for layer in layers]
        return torch.stack(terms).sum() if terms else step.real.video.new_zeros(())

    def _of(self, rows: Tensor) -> Tensor:
        products = rows @ rows.T
        wanted = torch.ones_like(products[0]) if self.unit_rows else products.diagonal()
        return (products - torch.diag(wanted)).square().sum()


def _weight(layer: nn.Module) -> Tensor:
    # Looking at a reparametrised weight would count as a use of it.
    if parametrize.is_parametrized(layer, "weight"):
        return layer.parametrizations["weight"].original  # pyright: ignore
    return layer.weight  # pyright: ignore[reportReturnType]
