"""Frame by frame, with weights of its own for each, as the paper's equations say."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.layer.filtered_conv import conv2d_up
from vgen.layer.modulated_conv import modulated_conv2d
from vgen.layer.upfirdn import fir_filter

DOUBLE = torch.float64
FILTER = fir_filter([1, 3, 3, 1]).double()


def case(kernel: int = 3, frames: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(frames, 4, 5, 6, dtype=DOUBLE, generator=rng)
    weight = torch.randn(5, 4, kernel, kernel, dtype=DOUBLE, generator=rng)
    return x, weight, torch.randn(frames, 4, dtype=DOUBLE, generator=rng) + 1


def by_the_equations(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool, up: int) -> Tensor:
    frames = []
    for frame, s in zip(x, style, strict=True):
        w = s[None, :, None, None] * weight  # eq. 1
        if demodulate:
            w = w / (w.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()  # eq. 3
        whole = conv2d_up(frame[None], w, FILTER) if up == 2 else F.conv2d(frame[None], w, padding="same")
        frames.append(whole[0])
    return torch.stack(frames)


@pytest.mark.parametrize("form", ["scaled", "grouped"])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("kernel", [1, 3])
def test_both_forms_follow_the_equations(form, up: int, demodulate: bool, kernel: int):
    x, weight, style = case(kernel)
    made = modulated_conv2d(x, weight, style, demodulate=demodulate, up=up, filter=FILTER, form=form)
    torch.testing.assert_close(made, by_the_equations(x, weight, style, demodulate, up))


@pytest.mark.parametrize("form", ["scaled", "grouped"])
@pytest.mark.parametrize("up", [1, 2])
def test_both_forms_can_be_differentiated_twice(form, up: int):
    x, weight, style = (part[:2, :2].contiguous().requires_grad_() for part in case())

    def run(x, weight, style):
        return modulated_conv2d(x[..., :3, :3], weight, style, up=up, filter=FILTER, form=form).pow(2)

    assert torch.autograd.gradcheck(run, (x, weight, style))
    assert torch.autograd.gradgradcheck(run, (x, weight, style))


def test_demodulation_keeps_the_spread_whatever_the_style():
    torch.manual_seed(0)
    x, style = torch.randn(8, 32, 16, 16), 10 * torch.randn(8, 32)
    made = modulated_conv2d(x, torch.randn(64, 32, 3, 3), style)
    assert made[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("form", ["scaled", "grouped"])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_neither_overflows_nor_goes_astray(form, kind: torch.dtype):
    """Styles of 1000 on 512 inputs of 100: their sums would pass the largest half-precision number, 65504."""
    torch.manual_seed(0)
    x, weight = 100 * torch.randn(2, 512, 4, 4), torch.randn(8, 512, 3, 3)
    style = 1000 * torch.rand(2, 512)
    exact = modulated_conv2d(x, weight, style, form=form)
    half = modulated_conv2d(x.to(kind), weight.to(kind), style.to(kind), form=form)
    assert half.dtype == kind
    assert (half.float() - exact).abs().max() < 0.02 * exact.abs().max()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = modulated_conv2d(x.bfloat16(), weight, style, form=form)
    assert (cast.float() - exact).abs().max() < 0.02 * exact.abs().max()


def test_without_a_filter_nothing_is_doubled():
    with pytest.raises(ValueError, match="filter"):
        modulated_conv2d(*case(), up=2)
