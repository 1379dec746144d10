import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vgen.layer.residual_down import ResidualDown


@pytest.mark.parametrize(
    ("arguments", "shape", "expected"),
    [
        ({}, (2, 3, 8, 8), (2, 5, 4, 4)),
        ({"halve_space": False}, (2, 3, 8, 8), (2, 5, 8, 8)),
        ({"clips": True}, (2, 3, 5, 8, 8), (2, 5, 5, 4, 4)),
        ({"clips": True, "halve_time": True}, (2, 3, 5, 7, 7), (2, 5, 3, 4, 4)),
        ({"clips": True, "halve_time": True, "halve_space": False}, (2, 3, 3, 3, 3), (2, 5, 2, 3, 3)),
    ],
)
def test_shapes(arguments: dict, shape: tuple, expected: tuple):
    assert ResidualDown(3, 5, **arguments)(torch.randn(shape)).shape == expected


def test_the_shortcut_alone_is_a_mean_over_windows():
    block = ResidualDown(2, 3)
    nn.init.zeros_(block.two.weight)
    nn.init.zeros_(block.two.bias)
    x = torch.randn(2, 2, 6, 6)
    torch.testing.assert_close(block(x), F.avg_pool2d(block.shortcut(x), 2))


def test_an_equal_width_without_halving_keeps_what_comes_in():
    block = ResidualDown(2, 2, halve_space=False)
    nn.init.zeros_(block.two.weight)
    nn.init.zeros_(block.two.bias)
    x = torch.randn(2, 2, 6, 6)
    assert torch.equal(block(x), x)


def test_only_the_first_block_sees_what_is_below_zero():
    x = -torch.rand(2, 2, 6, 6)
    for first in (True, False):
        torch.manual_seed(0)
        block = ResidualDown(2, 3, first=first)
        nn.init.zeros_(block.shortcut.weight)
        branch_is_blind = torch.allclose(block(x), block(torch.zeros_like(x)))
        assert branch_is_blind != first
