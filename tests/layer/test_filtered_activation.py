"""Against the definition in float64, and for what it is there for: what it gives moves with what it is given."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.layer.filtered_activation import FilteredActivation
from vgen.layer.upfirdn import upsample2d

DOUBLE = torch.float64
SAME = {"given": 22, "size": 20, "rate_in": 16, "rate_out": 16}
UP = {"given": 22, "size": 36, "rate_in": 16, "rate_out": 32}
DOWN = {"given": 22, "size": 10, "rate_in": 16, "rate_out": 8}
BANDS = {"cutoff_in": 4.0, "cutoff_out": 4.0, "half_in": 4.0, "half_out": 4.0}


def resampling(given: int, filter: Tensor, up: int, down: int, before: int, after: int) -> Tensor:
    """The matrix (out, given) of: zeros between, zeros around, convolution where it fits, every so many kept."""
    wide = torch.zeros(given * up + before + after, given, dtype=DOUBLE)
    for pixel in range(given):
        if 0 <= before + pixel * up < len(wide):
            wide[before + pixel * up, pixel] = 1
    taps = filter.double().flip(0)
    rows = [
        (taps[:, None] * wide[start : start + len(taps)]).sum(0) for start in range(len(wide) - len(taps) + 1)
    ]
    return torch.stack(rows[::down])


def waves(size: int, rate: int, shift: float, most: float, channels: int = 3) -> Tensor:
    """Samples (1, C, size, size) of sums of plane waves of frequencies up to `most`, moved right by `shift`."""
    rng = torch.Generator().manual_seed(0)
    along = (torch.arange(size, dtype=DOUBLE) + 0.5 - size / 2) / rate
    made = torch.zeros(1, channels, size, size, dtype=DOUBLE)
    for _ in range(8):
        drawn = torch.rand(3, channels, 1, 1, dtype=DOUBLE, generator=rng)
        fx, fy = ((2 * part - 1) * most / math.sqrt(2) for part in drawn[:2])
        made += (2 * math.pi * (fx * (along[None, :] - shift) + fy * along[:, None] + drawn[2])).sin()
    return made


@pytest.mark.parametrize("shape", [SAME, UP, DOWN], ids=["same", "up", "down"])
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_as_defined(shape: dict, clamp: float | None):
    layer = FilteredActivation(**shape, **BANDS, clamp=clamp).double()
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 22, 22, dtype=DOUBLE, generator=rng)
    bias = torch.randn(3, dtype=DOUBLE, generator=rng)
    before, after, *_ = layer.padding
    rise = resampling(22, layer.up_filter, layer.up, 1, before, after) * layer.up
    inner = rise @ (x + bias[:, None, None]) @ rise.T
    active = math.sqrt(2) * torch.where(inner > 0, inner, 0.2 * inner)
    active = active if clamp is None else active.clamp(-clamp, clamp)
    fall = resampling(len(rise), layer.down_filter, 1, layer.down, 0, 0)
    assert len(fall) == shape["size"]
    torch.testing.assert_close(layer(x, bias), fall @ active @ fall.T)


@pytest.mark.parametrize("shape", [SAME, UP, DOWN], ids=["same", "up", "down"])
def test_centred_and_of_unit_gain(shape: dict):
    """Below the cut-off, a map of positive numbers is only resampled, about the same centre."""
    layer = FilteredActivation(**shape, **BANDS).double()
    x = 20 + waves(22, 16, 0.0, 0.5)
    made = layer(x, torch.zeros(3, dtype=DOUBLE)) / math.sqrt(2)
    expected = 20 + waves(shape["size"], shape["rate_out"], 0.0, 0.5)
    inner = slice(7, -7) if shape is not DOWN else slice(4, -4)
    assert (made - expected)[..., inner, inner].abs().max() < 0.03  # a pixel aside would be 0.2


def test_moves_with_its_input_by_less_than_a_pixel():
    """Half a pixel of the input is a pixel of the output; a pointwise activation makes something else of it."""
    layer = FilteredActivation(
        given=48, size=92, rate_in=16, rate_out=32, cutoff_in=4.0, cutoff_out=8.0, half_in=4.0, half_out=8.0
    ).double()

    def alias_free(x: Tensor) -> Tensor:
        return layer(x, torch.zeros(3, dtype=DOUBLE))

    def pointwise(x: Tensor) -> Tensor:
        return upsample2d(F.leaky_relu(x, 0.2), layer.up_filter)

    still, moved = (waves(48, 16, shift, 4.0) for shift in (0.0, 1 / 32))

    def error(run) -> float:
        here, there = run(still)[..., 20:-20, 20:-20], run(moved)[..., 20:-20, 20:-20]
        return ((there[..., 1:] - here[..., :-1]).square().mean() / here.square().mean()).item()

    assert error(alias_free) < 1e-7  # -74 dB
    assert error(pointwise) > 1000 * error(alias_free)  # -41 dB


def test_differentiable_twice():
    layer = FilteredActivation(
        given=6, size=6, rate_in=8, rate_out=8, taps=2, clamp=1.5, **BANDS | {"half_in": 3.0}
    ).double()
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, 6, 6, dtype=DOUBLE, generator=rng).requires_grad_()
    bias = torch.randn(2, dtype=DOUBLE, generator=rng).requires_grad_()

    def squared(x: Tensor, bias: Tensor) -> Tensor:
        return layer(x, bias)[..., ::3, ::2].square()

    assert torch.autograd.gradcheck(squared, (x, bias))
    assert torch.autograd.gradgradcheck(squared, (x, bias))


def test_rates_that_do_not_divide():
    with pytest.raises(ValueError, match="rates 16 and 10"):
        FilteredActivation(given=10, size=10, rate_in=16, rate_out=10, **BANDS)
