import math

import pytest
import torch
import torch.nn.functional as F

from vgen.layer.filtered_conv import EqualizedConv2d, conv2d_down, conv2d_up
from vgen.layer.upfirdn import down_padding, downsample2d, fir_filter, up_padding, upfirdn2d, upsample2d

DOUBLE = torch.float64


def case(kernel: int, groups: int = 1):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 6, 8, dtype=DOUBLE, generator=rng)
    weight = torch.randn(6, 4 // groups, kernel, kernel, dtype=DOUBLE, generator=rng)
    return x, weight


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 1], [1], [1, 2, 4, 4, 2, 1]])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("groups", [1, 2])
def test_up_is_upsampling_and_then_a_convolution(kernel: int, taps, groups: int):
    x, weight = case(kernel, groups)
    filter = fir_filter(taps).double()
    margin = kernel // 2
    before, after = (side + margin for side in up_padding(len(taps), 2))
    larger = upfirdn2d(x, filter, up=2, padding=(before, after, before, after), gain=4)
    expected = F.conv2d(larger, weight.flip((2, 3)), groups=groups)
    torch.testing.assert_close(conv2d_up(x, weight, filter, groups=groups), expected)
    assert expected.shape[2:] == (12, 16)
    if kernel == 1:
        torch.testing.assert_close(F.conv2d(upsample2d(x, filter), weight, groups=groups), expected)


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 1], [1, 2, 4, 4, 2, 1]])
@pytest.mark.parametrize("kernel", [1, 3])
def test_down_is_filtering_and_then_a_convolution_in_steps(kernel: int, taps):
    x, weight = case(kernel)
    filter = fir_filter(taps).double()
    margin = kernel // 2
    before, after = (side + margin for side in down_padding(len(taps), 2))
    smooth = upfirdn2d(x, filter, padding=(before, after, before, after))
    expected = F.conv2d(smooth, weight)[:, :, ::2, ::2]
    torch.testing.assert_close(conv2d_down(x, weight, filter), expected)
    assert expected.shape[2:] == (3, 4)
    if kernel == 1:
        torch.testing.assert_close(F.conv2d(downsample2d(x, filter), weight), expected)


@pytest.mark.parametrize("change", [{}, {"up": 2}, {"down": 2}, {"slope": 1.0, "bias": False}])
def test_the_layer_by_its_formula(change: dict):
    layer = EqualizedConv2d(4, 6, 3, clamp=0.7, **change).double()
    x, _ = case(3)
    torch.nn.init.normal_(layer.weight)
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    weight = layer.weight / math.sqrt(4 * 9)
    filter = fir_filter([1, 3, 3, 1]).double()
    if "up" in change:
        y = conv2d_up(x, weight, filter)
    elif "down" in change:
        y = conv2d_down(x, weight, filter)
    else:
        y = F.conv2d(x, weight, padding=1)
    if layer.bias is not None:
        y = y + layer.bias[:, None, None]
    if "slope" not in change:
        y = torch.where(y > 0, y, 0.2 * y) * math.sqrt(2)
    torch.testing.assert_close(layer(x, gain=0.5), (0.5 * y).clamp(-0.35, 0.35), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("change", [{}, {"up": 2}, {"down": 2}])
def test_the_layer_can_be_differentiated_twice(change: dict):
    layer = EqualizedConv2d(2, 2, 3, **change).double()
    x = torch.randn(1, 2, 4, 4, dtype=DOUBLE, requires_grad=True)

    def run(x, weight):
        return torch.func.functional_call(layer, {"weight": weight}, (x,)).pow(2)

    weight = layer.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(run, (x, weight))
    assert torch.autograd.gradgradcheck(run, (x, weight))


def test_spread_is_kept():
    torch.manual_seed(0)
    x = torch.randn(4, 32, 16, 16)
    assert EqualizedConv2d(32, 64, 3, slope=1.0)(x)[:, :, 1:-1, 1:-1].std().item() == pytest.approx(
        1, rel=0.1
    )


def test_what_no_layer_can_be():
    for arguments in ({"kernel": 2}, {"kernel": 3, "up": 2, "down": 2}):
        with pytest.raises(ValueError, match="must be"):
            EqualizedConv2d(2, 2, **arguments)
