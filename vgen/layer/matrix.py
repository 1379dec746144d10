"""Weights of convolutions and linear layers as matrices, one row per output."""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.utils import parametrize


def weighted_layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Name and module of each layer with a `weight` of two or more dimensions: convolution, linear layer, embedding.

    Recurrent cells, whose weights have other names, are none of them. Gives reparametrised layers too.
    """
    for name, layer in network.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            yield name, layer
        elif "weight" in layer._parameters:
            weight = layer._parameters["weight"]
            if weight is not None and weight.ndim >= 2:
                yield name, layer


def weight_scale(layer: nn.Module) -> float:
    """What `layer` multiplies its weight with whenever it is used: 1 but for an equalised learning rate."""
    return getattr(layer, "weight_scale", 1.0)


def to_rows(weight: Tensor, layer: nn.Module) -> Tensor:
    """The weight of `layer` as (outputs, the rest); transposed convolutions keep their outputs second."""
    if not getattr(layer, "transposed", False):
        return weight.flatten(1)
    groups: int = layer.groups  # pyright: ignore[reportAssignmentType]
    split = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
    return split.transpose(1, 2).flatten(2).flatten(0, 1)  # (groups * outputs of one, inputs of one * kernel)


def from_rows(rows: Tensor, layer: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """The inverse of `to_rows`: the weight, of the given shape."""
    if not getattr(layer, "transposed", False):
        return rows.view(shape)
    groups: int = layer.groups  # pyright: ignore[reportAssignmentType]
    split = rows.reshape(groups, shape[1], shape[0] // groups, -1)
    return split.transpose(1, 2).reshape(shape)
