import pytest
import torch
from torch import nn

from vgen.layer.batch_norm import BatchNorm
from vgen.layer.init import init_both_fans, init_normal, init_orthogonal


def test_weights_gains_and_biases():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(16, 32, 4), BatchNorm(4096), nn.ConvTranspose2d(32, 64, 4, bias=False))
    init_normal(network, std=0.01, gain_std=0.02)
    convolution, norm, transposed = network
    for weight, mean, std in (
        (convolution.weight, 0, 0.01),
        (norm.weight, 1, 0.02),
        (transposed.weight, 0, 0.01),
    ):
        assert abs(weight.mean() - mean) < std / 10
        assert abs(weight.std() / std - 1) < 0.05
    assert not convolution.bias.any()
    assert not norm.bias.any()


def test_orthogonal_rows_of_every_weight():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(4, 8, 3), nn.Linear(9, 5), nn.Embedding(6, 4))
    init_orthogonal(network)
    for layer in network:
        rows = layer.weight.flatten(1)
        rows = rows if len(rows) <= rows.shape[1] else rows.T
        torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), rtol=0, atol=1e-5)
    assert not network[0].bias.any()
    assert not network[1].bias.any()


def test_both_fans_set_the_spread():
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv3d(8, 32, 4, stride=2), nn.ConvTranspose3d(32, 8, 4, stride=2), nn.Linear(5, 5)
    )
    untouched = layers[2].weight.clone()
    init_both_fans(layers)
    for layer, fan_in, fan_out in ((layers[0], 8 * 64, 32 * 8), (layers[1], 32 * 64, 8 * 8)):
        assert layer.weight.var().item() == pytest.approx(4 / (fan_in + fan_out), rel=0.03)
        assert layer.weight.abs().max() <= (12 / (fan_in + fan_out)) ** 0.5
        assert not layer.bias.any()
    assert torch.equal(layers[2].weight, untouched)
