import pytest
import torch
from torch import nn

from vgen.layer.conv_lstm import ConvLSTM


def make(**arguments) -> ConvLSTM:
    torch.manual_seed(0)
    return ConvLSTM(2, 3, **arguments).double()


def clip(frames: int) -> torch.Tensor:
    return torch.randn(2, 2, frames, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_with_1x1_kernels_every_position_is_an_lstm():
    unit, x = make(kernel=1), clip(5)
    oracle = nn.LSTM(2, 3, batch_first=True).double()
    order = torch.tensor([0, 1, 3, 2])  # torch has input, forget, content, output
    with torch.no_grad():
        for name, ours in (
            ("weight_ih_l0", unit.from_input.weight),
            ("weight_hh_l0", unit.from_state.weight),
        ):
            getattr(oracle, name).copy_(ours.flatten(1).unflatten(0, (4, 3))[order].flatten(0, 1))
        oracle.bias_ih_l0.copy_(unit.from_input.bias.unflatten(0, (4, 3))[order].flatten())
        oracle.bias_hh_l0.zero_()
    expected, _ = oracle(x[:, :, :, 1, 2].transpose(1, 2))
    torch.testing.assert_close(unit(x, 5)[:, :, :, 1, 2], expected.transpose(1, 2))


def test_inputs_that_are_left_out_are_zero():
    unit, x = make(), clip(2)
    silent = torch.cat([x, torch.zeros(2, 2, 3, 3, 3, dtype=torch.float64)], 2)
    torch.testing.assert_close(unit(x, 5), unit(silent, 5))


def test_arguments():
    with pytest.raises(ValueError, match="odd"):
        make(kernel=2)
    with pytest.raises(ValueError, match="2 steps got inputs for 3"):
        make()(clip(3), 2)
