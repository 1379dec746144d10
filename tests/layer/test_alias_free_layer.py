import math

import torch
import torch.nn.functional as F

from vgen.layer.alias_free_layer import AliasFreeLayer, AliasFreeToPixels
from vgen.layer.band_plan import Band

SLOW = Band(cutoff=4.0, half=4.0, rate=16, size=36, width=3)
FAST = Band(cutoff=8.0, half=8.0, rate=32, size=52, width=4)
DOUBLE = torch.float64


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))


def test_the_equations_of_a_layer():
    torch.manual_seed(0)
    layer = AliasFreeLayer(SLOW, FAST, 5).double().eval()
    layer.magnitude.average.fill_(4.0)
    x, w = 3 * drawn(2, 3, 36, 36), drawn(2, 5)
    style = w @ layer.style.weight.T / math.sqrt(5) + 1
    made = layer(x, w)
    assert made.shape == (2, 4, 52, 52)
    for number in range(2):
        weight = layer.weight * style[number][None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        convolved = F.conv2d(x[number : number + 1] / 2, weight, padding=2)
        expected = layer.activation(convolved, layer.bias)
        torch.testing.assert_close(made[number : number + 1], expected)


def test_the_equation_of_pixels():
    torch.manual_seed(0)
    layer = AliasFreeToPixels(3, 2, 5, clamp=0.7).double().eval()
    layer.magnitude.average.fill_(9.0)
    x, w = drawn(2, 3, 6, 6), drawn(2, 5)
    style = (w @ layer.style.weight.T / math.sqrt(5) + 1) / math.sqrt(3)
    expected = torch.einsum("oi,ni,nihw->nohw", layer.weight[:, :, 0, 0], style, x / 3).clamp(-0.7, 0.7)
    torch.testing.assert_close(layer(x, w), expected)
