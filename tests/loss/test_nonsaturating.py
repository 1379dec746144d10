import torch
import torch.nn.functional as F

from vgen.clip import Loss
from vgen.loss.nonsaturating import NonSaturating


def test_is_cross_entropy_with_real_as_one():
    loss = NonSaturating()
    assert isinstance(loss, Loss)
    real, fake = torch.randn(4, 3, 3, dtype=torch.float64), torch.randn(4, 3, 3, dtype=torch.float64)
    expected = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    expected = expected + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    torch.testing.assert_close(loss.discriminator(real, fake), expected)
    expected = F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    torch.testing.assert_close(loss.generator(real, fake), expected)


def test_generator_learns_most_where_it_fails_most():
    fake = torch.tensor([-50.0, 0.0, 50.0], requires_grad=True)
    NonSaturating().generator(torch.zeros(3), fake).backward()
    torch.testing.assert_close(fake.grad, torch.tensor([-1.0, -0.5, 0.0]) / 3)
