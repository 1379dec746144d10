import torch

from vgen.clip import Loss
from vgen.loss.wgan import WGAN


def test_closed_form():
    loss = WGAN()
    assert isinstance(loss, Loss)
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.0])
    assert loss.discriminator(real, fake).item() == -2.0
    assert loss.generator(real, fake).item() == 1.5
