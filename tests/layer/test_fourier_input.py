import math

import torch
from torch import Tensor

from vgen.layer.fourier_input import FourierInput


def make(channels: int = 6, **changes) -> FourierInput:
    torch.manual_seed(0)
    return FourierInput(5, channels, **{"size": 12, "rate": 8, "bandwidth": 2.0} | changes).double()


def by_definition(layer: FourierInput, turn: float, right: float, down: float) -> Tensor:
    """Position after position, with a matrix for the rotation."""
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]).double()
    moved = torch.tensor([right, down]).double()
    made = torch.zeros(layer.weight.shape[0], layer.size, layer.size, dtype=torch.float64)
    for row in range(layer.size):
        for column in range(layer.size):
            place = torch.tensor([column, row]).double() + 0.5 - layer.size / 2
            place = rotation @ (place / 8 - moved)
            angle = 2 * math.pi * (layer.frequencies @ place + layer.phases)
            made[:, row, column] = layer.weight @ angle.sin() / math.sqrt(len(layer.weight))
    return made


def test_waves_that_the_style_turns_and_shifts():
    layer = make()
    w = torch.zeros(2, 5, dtype=torch.float64)
    still = by_definition(layer, 0, 0, 0)
    torch.testing.assert_close(layer(w), still.expand(2, -1, -1, -1), msg="the style is not heard at first")
    turn, length = 0.4, 3.0
    with torch.no_grad():
        layer.affine.bias.copy_(torch.tensor([math.cos(turn), math.sin(turn), 0.3, -0.1]) * length)
    torch.testing.assert_close(layer(w)[1], by_definition(layer, turn, 0.3, -0.1), atol=1e-6, rtol=1e-6)


def test_frequencies_fill_the_disc_evenly():
    layer = make(channels=2000, bandwidth=3.0)
    share = (layer.frequencies.norm(dim=1) / 3).square().sort().values  # uniform in [0, 1]
    assert (share - torch.linspace(0, 1, 2000, dtype=torch.float64)).abs().max() < 0.04
    assert layer.frequencies.mean(0).abs().max() < 0.15
    assert layer.phases.abs().max() <= 0.5


def test_differentiable_twice():
    layer = make(channels=3, size=4)
    torch.nn.init.normal_(layer.affine.weight)
    w = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(layer, (w,))
    assert torch.autograd.gradgradcheck(layer, (w,))


def test_what_is_drawn_travels_with_the_state():
    layer, other = make(), make(channels=6)
    for buffer in other.buffers():
        torch.nn.init.zeros_(buffer)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.frequencies, layer.frequencies)
    assert torch.equal(other.phases, layer.phases)
