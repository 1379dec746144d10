import pytest
import torch

from vgen.layer.growth import grow, halved_lengths


@pytest.mark.parametrize(
    ("frames", "layers", "lengths"),
    [(32, 4, [2, 4, 8, 16, 32]), (12, 3, [3, 3, 6, 12]), (7, 2, [7, 7, 7]), (1, 1, [1, 1]), (8, 1, [4, 8])],
)
def test_lengths_are_halved_inwards_while_even(frames: int, layers: int, lengths: list[int]):
    assert halved_lengths(frames, layers) == lengths


@pytest.mark.parametrize(
    ("before", "after", "kernel"),
    [(2, 4, (4, 4, 4)), (3, 3, (3, 4, 4)), (1, 1, (1, 4, 4)), (1, 2, (4, 4, 4))],
)
def test_space_doubles_and_time_as_asked(before: int, after: int, kernel: tuple[int, int, int]):
    layer = grow(2, 3, before, after)
    assert layer.kernel_size == kernel
    assert layer(torch.zeros(1, 2, before, 5, 6)).shape == (1, 3, after, 10, 12)
