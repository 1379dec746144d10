import pytest
import torch

from vgen.clip import Loss
from vgen.loss.hinge import Hinge


def test_closed_form():
    loss = Hinge()
    assert isinstance(loss, Loss)
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.0])
    assert loss.discriminator(real, fake).item() == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1) / 2)
    assert loss.generator(real, fake).item() == 1.5
