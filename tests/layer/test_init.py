import torch
from torch import nn

from vgen.layer.batch_norm import BatchNorm
from vgen.layer.init import init_normal


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
