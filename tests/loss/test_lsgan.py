import pytest
import torch

from vgen.clip import Loss
from vgen.loss.lsgan import LSGAN

REAL = torch.tensor([2.0, 0.5, -1.0], dtype=torch.float64)
FAKE = torch.tensor([-3.0, 0.0], dtype=torch.float64)


@pytest.mark.parametrize(("a", "b", "c"), [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0)])
def test_closed_form(a, b, c):
    loss = LSGAN(fake_target=a, real_target=b, goal=c)
    assert isinstance(loss, Loss)
    real = [(x - b) ** 2 for x in REAL.tolist()]
    fake = [(x - a) ** 2 for x in FAKE.tolist()]
    expected = sum(real) / 3 / 2 + sum(fake) / 2 / 2
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(expected)
    assert loss.generator(REAL, FAKE).item() == pytest.approx(
        sum((x - c) ** 2 for x in FAKE.tolist()) / 2 / 2
    )


def test_gradients_are_distances_to_the_targets():
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    LSGAN().discriminator(real, fake).backward()
    torch.testing.assert_close(real.grad, (REAL - 1) / 3)
    torch.testing.assert_close(fake.grad, FAKE / 2)
    fake.grad = None
    LSGAN().generator(REAL, fake).backward()
    torch.testing.assert_close(fake.grad, (FAKE - 1) / 2)


def test_equal_targets_are_refused():
    with pytest.raises(ValueError, match=r"loss\.fake_target and loss\.real_target"):
        LSGAN(fake_target=1.0)
