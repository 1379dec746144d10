from dataclasses import replace

import pytest
import torch
from torch import nn

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.orthogonal import Orthogonal


@pytest.fixture
def step(make_step):
    def make(network):
        base = make_step(lambda clip: Judgement({"video": clip.video.sum((1, 2, 3, 4))}))
        return replace(base, generator=network, discriminator=nn.Linear(2, 2))

    return make


def test_only_products_of_different_rows_count(step):
    layer = nn.Linear(2, 3, bias=False).double()
    layer.weight.data = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 0.0]]).double()
    term = Orthogonal(weight=2.0)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (2.0, 1, "generator")
    assert term(step(layer)).item() == pytest.approx(2 * 3**2)  # rows 0 and 2, both ways
    # norms 9, 4 and 1 against 1, too
    assert Orthogonal(unit_rows=True)(step(layer)).item() == pytest.approx(2 * 3**2 + 8**2 + 3**2)


def test_rows_of_a_transposed_convolution_are_its_outputs(step):
    layer = nn.ConvTranspose2d(4, 2, 3, bias=False).double()
    rows = layer.weight.detach().transpose(0, 1).flatten(1)
    expected = 2 * (rows[0] @ rows[1]) ** 2
    torch.testing.assert_close(Orthogonal()(step(layer)), expected)


def test_sums_over_layers_and_leaves_embeddings_alone(step):
    layers = [nn.Linear(4, 3).double(), nn.Conv3d(2, 3, 2).double()]
    both = Orthogonal()(step(nn.Sequential(*layers, nn.Embedding(5, 4), nn.BatchNorm1d(3))))
    torch.testing.assert_close(both, sum(Orthogonal()(step(layer)) for layer in layers))


def test_gradcheck(step):
    layer = nn.Linear(4, 3).double()

    def term(weight):
        layer._parameters["weight"] = weight
        return Orthogonal(unit_rows=True)(step(layer))

    assert torch.autograd.gradcheck(term, (layer.weight,))


def test_player_is_checked():
    with pytest.raises(ValueError, match="player of orthogonal"):
        Orthogonal(player="nobody")
