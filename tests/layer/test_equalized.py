import pytest
import torch

from vgen.layer.equalized import EqualizedConv1d, EqualizedLinear


@pytest.mark.parametrize("lr_multiplier", [1.0, 0.01])
def test_variance_is_kept_and_the_multiplier_slows_learning(lr_multiplier: float):
    torch.manual_seed(0)
    x = torch.randn(64, 50, 12)
    layers = (
        EqualizedConv1d(50, 40, 3, lr_multiplier=lr_multiplier),
        EqualizedLinear(50, 40, lr_multiplier=lr_multiplier),
    )
    for layer, given in zip(layers, (x, x.transpose(1, 2)), strict=True):
        y = layer(given)
        assert y.numel() == 64 * 40 * (10 if layer is layers[0] else 12)
        assert abs(y.std() - 1) < 0.1
        # What a step of fixed length on every weight, as Adam's first, does to the output.
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter += 1e-3
        moved = (layer(given) - y).abs().mean() / lr_multiplier
        assert 1e-4 < moved < 5e-3


def test_linear_without_bias():
    layer = EqualizedLinear(4, 2, bias=False).double()
    x = torch.randn(3, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ layer.weight.T / 2)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
