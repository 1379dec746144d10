import torch
import torch.nn.functional as F

from vgen.clip import Loss
from vgen.loss.minimax import Minimax


def test_generator_loses_what_the_discriminator_gains_on_generated_clips():
    loss = Minimax()
    assert isinstance(loss, Loss)
    real, fake = torch.randn(4, 3, 3, dtype=torch.float64), torch.randn(4, 3, 3, dtype=torch.float64)
    on_fake = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    on_real = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    torch.testing.assert_close(loss.discriminator(real, fake), on_real + on_fake)
    torch.testing.assert_close(loss.generator(real, fake), -on_fake)


def test_generator_learns_least_where_it_fails_most():
    fake = torch.tensor([-50.0, 0.0, 50.0], dtype=torch.float64, requires_grad=True)
    Minimax().generator(torch.zeros(3), fake).backward()
    expected = torch.tensor([0.0, -0.5, -1.0], dtype=torch.float64) / 3
    torch.testing.assert_close(fake.grad, expected)
