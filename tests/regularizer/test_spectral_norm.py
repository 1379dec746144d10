import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from vgen.clip import Regularizer
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.filtered_conv import EqualizedConv2d
from vgen.regularizer.spectral_norm import SpectralNorm


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(2, 4, 2),
        nn.BatchNorm3d(4),
        nn.ConvTranspose2d(4, 3, 3),
        nn.Linear(5, 6),
        nn.Embedding(4, 3),
        nn.GRUCell(2, 2),
    ).double()


def test_keeps_the_contract():
    term = SpectralNorm(player="generator")
    assert isinstance(term, Regularizer)
    assert term.player == "generator"
    assert not term.differentiates


def test_every_layer_gets_norm_one(make_step):
    layers = network()
    SpectralNorm(power_iterations=20).prepare(layers)
    for layer, outputs in ((layers[0], 0), (layers[2], 1), (layers[3], 0), (layers[4], 0)):
        for _ in range(10):
            weight = layer.weight
        rows = weight.transpose(0, outputs).flatten(1)
        assert torch.linalg.matrix_norm(rows, 2).item() == pytest.approx(1, rel=1e-4)
    assert not parametrize.is_parametrized(layers[1])
    assert not parametrize.is_parametrized(layers[5])


def test_of_an_equalized_layer_the_weight_as_used_gets_norm_one():
    layers = nn.Sequential(EqualizedLinear(100, 50), EqualizedConv2d(4, 5, 3)).double()
    SpectralNorm(power_iterations=20).prepare(layers)
    for layer in layers:
        for _ in range(10):
            used = layer.weight * layer.weight_scale
        assert torch.linalg.matrix_norm(used.flatten(1), 2).item() == pytest.approx(1, rel=1e-4)


def test_layers_normalised_by_the_network_itself_stay(make_step):
    layers = network()
    nn.utils.parametrizations.weight_norm(layers[3])
    SpectralNorm().prepare(layers)
    assert type(layers[3].parametrizations.weight[0]).__name__ == "_WeightNorm"
    again = copy.deepcopy(layers)
    SpectralNorm().prepare(again)
    assert again.state_dict().keys() == layers.state_dict().keys()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="player"):
        SpectralNorm(player="both")
    with pytest.raises(ValueError, match="power_iterations=0"):
        SpectralNorm(power_iterations=0)


def test_a_layer_that_starts_at_zero_is_refused():
    layers = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    nn.init.zeros_(layers[1].weight)
    with pytest.raises(ValueError, match=r"Sequential\.1 .* starts at 0"):
        SpectralNorm().prepare(layers)
