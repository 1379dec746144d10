import pytest
import torch

from vgen.layer.biased_activation import biased_activation

DOUBLE = torch.float64


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 5), (2, 3, 2, 2, 2)])
def test_by_its_formula(shape: tuple[int, ...]):
    torch.manual_seed(0)
    x, bias = torch.randn(shape, dtype=DOUBLE), torch.randn(3, dtype=DOUBLE)
    shifted = x + bias.view(1, 3, *[1] * (len(shape) - 2))
    leaky = torch.where(shifted > 0, shifted, 0.2 * shifted)
    torch.testing.assert_close(biased_activation(x, bias), 2**0.5 * leaky)
    torch.testing.assert_close(biased_activation(x, bias, gain=3.0, clamp=0.5), (3 * leaky).clamp(-0.5, 0.5))
    torch.testing.assert_close(biased_activation(x, bias, slope=1.0), shifted)
    torch.testing.assert_close(biased_activation(x, None, slope=0.0, gain=1.0), x.relu())


def test_differentiable_twice():
    x = torch.randn(3, 2, 2, dtype=DOUBLE, requires_grad=True)
    bias = torch.randn(2, dtype=DOUBLE, requires_grad=True)

    def run(x, bias):
        return biased_activation(x, bias, clamp=2.0).pow(3)

    assert torch.autograd.gradcheck(run, (x, bias))
    assert torch.autograd.gradgradcheck(run, (x, bias))


def test_the_second_moment_of_noise_is_nearly_kept():
    x = torch.randn(10000, generator=torch.Generator().manual_seed(0)).view(1, 1, -1)
    assert biased_activation(x, None).square().mean().item() == pytest.approx(1.04, abs=0.05)


def test_half_precision_stays():
    assert biased_activation(torch.ones(1, 2, dtype=torch.bfloat16), torch.ones(2)).dtype == torch.bfloat16
