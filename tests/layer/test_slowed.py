import copy

import pytest
import torch
from torch import nn

from vgen.layer.slowed import Slowed


def test_the_same_function_and_steps_a_tenth_as_long():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    slowed = Slowed(copy.deepcopy(plain), 0.1)
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(slowed(x), plain(x))
    assert torch.autograd.gradgradcheck(slowed, (x,))
    moved = []
    for network, parameters, lr in ((plain, plain.parameters(), 1e-3), (slowed, slowed.parameters(), 1e-2)):
        optimizer = torch.optim.Adam(parameters, lr=lr, eps=0.0)
        for _ in range(3):
            optimizer.zero_grad()
            network(x.detach()).square().sum().backward()
            optimizer.step()
        moved.append(network(x).detach())
    torch.testing.assert_close(moved[0], moved[1])


def test_buffers_are_learnt():
    network = Slowed(nn.BatchNorm1d(3), 0.5)
    network(torch.randn(8, 3) + 5)
    assert network.module.running_mean.min() > 0.2
    assert network.module.num_batches_tracked == 1


def test_a_part_that_stands_still_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        Slowed(nn.Linear(1, 1), 0.0)
