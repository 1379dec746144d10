import pytest
import torch
import torch.nn.functional as F

from vgen.clip import Loss
from vgen.loss.relativistic import Relativistic


def pair():
    torch.manual_seed(0)
    return [torch.randn(4, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]


def test_is_cross_entropy_of_the_difference_of_pairs():
    loss = Relativistic()
    assert isinstance(loss, Loss)
    assert loss.relativistic
    real, fake = pair()
    ones = torch.ones_like(real)
    expected = F.binary_cross_entropy_with_logits(real - fake, ones)
    torch.testing.assert_close(loss.discriminator(real, fake), expected)
    torch.testing.assert_close(
        loss.generator(real, fake), F.binary_cross_entropy_with_logits(fake - real, ones)
    )


def test_gradients():
    real, fake = pair()
    Relativistic().discriminator(real, fake).backward()
    doubt = torch.sigmoid(fake - real).detach() / real.numel()
    torch.testing.assert_close(real.grad, -doubt)
    torch.testing.assert_close(fake.grad, doubt)


def test_only_differences_count():
    real, fake = pair()
    loss = Relativistic()
    torch.testing.assert_close(loss.generator(real + 7, fake + 7), loss.generator(real, fake))


def test_logits_without_a_partner_are_refused():
    with pytest.raises(ValueError, match="loss=relativistic pairs"):
        Relativistic().discriminator(torch.zeros(4, 3), torch.zeros(4, 2))
