import pytest
import torch
from torch import nn

from vgen.clip import Regularizer
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


def test_bound_is_checked():
    with pytest.raises(ValueError, match="bound=0"):
        WeightClip(bound=0.0)
