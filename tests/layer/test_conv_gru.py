import pytest
import torch
from torch.nn.utils.parametrizations import spectral_norm

from vgen.layer.conv_gru import ConvGRU


def make(**arguments) -> ConvGRU:
    torch.manual_seed(0)
    return ConvGRU(2, 3, **arguments).double()


def clip(frames: int = 4) -> torch.Tensor:
    return torch.randn(2, 2, frames, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_closed_form_of_a_step(activation: str):
    """With 1x1 kernels every position is an ordinary GRU."""
    unit, x = make(kernel=1, activation=activation), clip(1)
    before = torch.randn(2, 3, 3, 3, dtype=torch.float64)
    weights = unit.from_input.weight.flatten(1).split(3), unit.gates.weight.flatten(1).split(3)
    at_x, at_h = x[1, :, 0, 2, 1], before[1, :, 2, 1]
    bias = unit.from_input.bias.split(3)
    reset, keep = ((weights[0][i] @ at_x + bias[i] + weights[1][i] @ at_h).sigmoid() for i in range(2))
    rho = getattr(torch, activation)
    candidate = rho(weights[0][2] @ at_x + bias[2] + unit.candidate.weight.flatten(1) @ (reset * at_h))
    expected = keep * at_h + (1 - keep) * candidate
    torch.testing.assert_close(unit(x, 1, before)[1, :, 0, 2, 1], expected)


def test_steps_follow_one_another():
    unit, x = make(), clip()
    states = unit(x, 4)
    assert states.shape == (2, 3, 4, 3, 3)
    torch.testing.assert_close(unit(x[:, :, 2:], 2, states[:, :, 1]), states[:, :, 2:])
    zero = torch.zeros(2, 3, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(unit(x, 4, zero), states)


def test_one_input_for_all_steps():
    unit, x = make(), clip(1)
    torch.testing.assert_close(unit(x, 5), unit(x.expand(-1, -1, 5, -1, -1), 5))


def test_one_power_iteration_for_all_steps():
    unit = make()
    spectral_norm(unit.gates)
    calls = []
    unit.gates.parametrizations.weight[0].register_forward_hook(lambda *_: calls.append(1))
    unit(clip(), 4)
    assert len(calls) == 1


def test_arguments():
    with pytest.raises(ValueError, match="odd"):
        ConvGRU(1, 1, kernel=2)
    with pytest.raises(ValueError, match="relu or tanh"):
        ConvGRU(1, 1, activation="gelu")  # type: ignore[arg-type]
