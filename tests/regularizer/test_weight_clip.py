import pytest
import torch
from torch import nn

from vgen.clip import Regularizer
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.filtered_conv import EqualizedConv2d
from vgen.layer.filtered_conv3d import EqualizedConv3d
from vgen.regularizer.weight_clip import WeightClip


def test_all_parameters_lie_in_the_box():
    layers = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    layers[0].weight.data = torch.tensor([[1.0, -1.0, 0.05], [0.0, -0.05, 0.2]])
    term = WeightClip(bound=0.1)
    assert isinstance(term, Regularizer)
    assert (term.interval, term.player) == (1, "discriminator")
    term.after_update(layers)
    expected = torch.tensor([[0.1, -0.1, 0.05], [0.0, -0.05, 0.1]])
    assert torch.equal(layers[0].weight.detach(), expected)
    assert torch.equal(layers[1].weight.detach(), torch.full((2,), 0.1))


def test_of_an_equalized_layer_the_weight_as_used_is_clipped():
    layers = nn.Sequential(EqualizedLinear(100, 50), EqualizedConv2d(4, 5, 3), EqualizedConv3d(4, 5, (3, 3)))
    WeightClip(bound=0.01).after_update(layers)
    for layer in layers:
        used = layer.weight * layer.weight_scale
        torch.testing.assert_close(used.abs().max(), torch.tensor(0.01))
        assert used.unique().numel() > 2  # not all at the border


def test_bound_is_checked():
    with pytest.raises(ValueError, match="bound=0"):
        WeightClip(bound=0.0)
