import pytest
import torch
from torch import nn

from vgen.layer.matrix import from_rows, to_rows, weighted_layers


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(4, 3),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.ConvTranspose3d(4, 3, 2),
        nn.ConvTranspose2d(4, 6, 3, groups=2),
    ],
    ids=str,
)
def test_one_row_per_output(layer):
    """Scaling a row scales that channel of the output, and no other."""
    rows = to_rows(layer.weight.detach(), layer)
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    assert rows.shape == (outputs, layer.weight.numel() // outputs)
    assert torch.equal(from_rows(rows, layer, tuple(layer.weight.shape)), layer.weight)
    shape = [2, 4] if isinstance(layer, nn.Linear) else [2, 4, *(5 for _ in layer.weight.shape[2:])]
    x = torch.randn(shape)
    layer.bias.data.zero_()
    before = layer(x)
    rows[1] *= 3
    layer.weight.data = from_rows(rows, layer, tuple(layer.weight.shape)).contiguous()
    scale = torch.ones(outputs)
    scale[1] = 3
    torch.testing.assert_close(layer(x), before * scale.view(-1, *(1 for _ in before.shape[2:])))


def test_finds_layers_reparametrised_or_not():
    network = nn.Sequential(
        nn.Linear(2, 2),
        nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2)),
        nn.BatchNorm1d(2),
        nn.GRUCell(2, 2),
    )
    assert [name for name, _ in weighted_layers(network)] == ["0", "1"]
