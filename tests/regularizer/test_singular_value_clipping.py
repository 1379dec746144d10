import copy

import pytest
import torch
from torch import nn

from vgen.clip import Regularizer
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.matrix import to_rows
from vgen.regularizer.singular_value_clipping import SingularValueClipping
from vgen.regularizer.spectral_norm import SpectralNorm


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(5, 3), nn.Conv3d(2, 4, 2), nn.ConvTranspose2d(4, 6, 3, groups=2)],
    ids=lambda x: type(x).__name__,
)
def test_singular_values_are_clipped_and_vectors_stay(layer):
    layer = layer.double()
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    before = to_rows(layer.weight.detach(), layer)
    left, values, right = torch.linalg.svd(before, full_matrices=False)
    assert values.max() > 1
    SingularValueClipping().after_update(layer)
    expected = (left * values.clamp_max(1)) @ right
    torch.testing.assert_close(to_rows(layer.weight.detach(), layer), expected)


def test_of_an_equalized_layer_the_weight_as_used_is_clipped():
    layer = EqualizedLinear(100, 400)
    before = layer.weight.detach() * layer.weight_scale
    assert torch.linalg.matrix_norm(before, 2) > 2
    SingularValueClipping().after_update(nn.Sequential(layer))
    left, values, right = torch.linalg.svd(before, full_matrices=False)
    expected = (left * values.clamp_max(1)) @ right
    torch.testing.assert_close(layer.weight.detach() * layer.weight_scale, expected)


def test_what_is_small_enough_stays_to_the_last_bit():
    layer = nn.Linear(5, 3)
    nn.init.orthogonal_(layer.weight, 0.9)
    before = layer.weight.detach().clone()
    SingularValueClipping().after_update(layer)
    assert torch.equal(layer.weight, before)


def test_gains_of_batch_norms_lie_below_the_spread():
    norm = nn.BatchNorm2d(4)
    norm.weight.data = torch.tensor([5.0, 0.5, -1.0, 0.001])
    norm.running_var.copy_(torch.tensor([4.0, 4.0, 4.0, 1.0]))
    SingularValueClipping().after_update(nn.Sequential(norm, nn.Embedding(3, 2)))
    torch.testing.assert_close(norm.weight.detach(), torch.tensor([2.0, 0.5, 0.02, 0.01]))


def test_embeddings_stay():
    table = nn.Embedding(3, 2)
    before = copy.deepcopy(table.weight)
    SingularValueClipping().after_update(nn.Sequential(table))
    assert torch.equal(table.weight, before)


def test_keeps_the_contract_and_the_interval():
    term = SingularValueClipping()
    assert isinstance(term, Regularizer)
    assert (term.interval, term.player) == (5, "discriminator")


def test_two_bounds_on_one_weight_are_refused():
    layer = nn.Sequential(nn.Linear(5, 3))
    SpectralNorm().prepare(layer)
    with pytest.raises(ValueError, match=r"discriminator\.0 has spectral norm already"):
        SingularValueClipping().prepare(layer)
    with pytest.raises(ValueError, match="choose one of the two"):
        SingularValueClipping().after_update(layer)
