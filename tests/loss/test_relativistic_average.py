import pytest
import torch
import torch.nn.functional as F

from vgen.clip import Loss
from vgen.loss.relativistic_average import RelativisticAverage


def logits():
    rng = torch.Generator().manual_seed(0)
    return torch.randn(4, 3, generator=rng, dtype=torch.float64), torch.randn(
        4, 2, generator=rng, dtype=torch.float64
    )


def test_logistic_is_cross_entropy_against_the_others_mean():
    loss = RelativisticAverage()
    assert isinstance(loss, Loss)
    assert loss.relativistic
    real, fake = logits()
    above, below = real - fake.mean(), fake - real.mean()
    one, zero = torch.ones_like, torch.zeros_like
    cross = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(
        loss.discriminator(real, fake), cross(above, one(above)) + cross(below, zero(below))
    )
    torch.testing.assert_close(
        loss.generator(real, fake), cross(above, zero(above)) + cross(below, one(below))
    )


def test_least_squares():
    loss = RelativisticAverage(form="least_squares")
    real, fake = logits()
    above, below = real - fake.mean(), fake - real.mean()
    expected = (above - 1).square().mean() + (below + 1).square().mean()
    torch.testing.assert_close(loss.discriminator(real, fake), expected)
    expected = (above + 1).square().mean() + (below - 1).square().mean()
    torch.testing.assert_close(loss.generator(real, fake), expected)


def test_gradient_of_least_squares_passes_through_the_means():
    real, fake = (x.requires_grad_() for x in logits())
    RelativisticAverage(form="least_squares").discriminator(real, fake).backward()
    # d/dr_i of the first mean is 2 (r_i - m_f - 1) / n, and of the second, by m_r, -2 (m_f - m_r + 1) / n
    gap = real.mean() - fake.mean()
    expected = 2 * (real - fake.mean() - 1 + gap - 1) / real.numel()
    torch.testing.assert_close(real.grad, expected.detach())


@pytest.mark.parametrize("form", ["logistic", "least_squares"])
def test_gradcheck(form):
    real, fake = (x.requires_grad_() for x in logits())
    assert torch.autograd.gradcheck(RelativisticAverage(form=form).generator, (real, fake))


def test_unknown_forms_are_refused():
    with pytest.raises(ValueError, match=r"loss\.form must be logistic or least_squares"):
        RelativisticAverage(form="hinge")
