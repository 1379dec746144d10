import pytest
import torch

from vgen.layer.magnitude import MagnitudeGain


def test_follows_the_mean_square_in_training_alone():
    gain = MagnitudeGain(decay=0.9).double()
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    square, expected = x.square().mean(), torch.ones((), dtype=torch.float64)
    for _ in range(3):
        expected = 0.9 * expected + 0.1 * square
        torch.testing.assert_close(gain(x), expected.rsqrt())
    gain.eval()
    torch.testing.assert_close(gain(100 * x), expected.rsqrt())
    assert set(gain.state_dict()) == {"average"}


def test_brings_to_magnitude_one_in_the_end():
    gain = MagnitudeGain(decay=0.5)
    x = 7 * torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for _ in range(40):
        factor = gain(x)
    assert (x * factor).square().mean().item() == pytest.approx(1, rel=1e-5)


def test_takes_no_gradient_and_two_passes_can_share_a_backward_pass():
    gain, x = MagnitudeGain(), torch.ones(2, 3, requires_grad=True)
    (x * gain(x) + x * gain(2 * x)).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.full_like(x, 1 + 1.003**-0.5))
