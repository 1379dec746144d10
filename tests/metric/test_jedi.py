import pytest
import torch
from torch import Tensor

from vgen.metric.jackknife import block_jackknife, deal_blocks
from vgen.metric.jedi import jedi_distance, jedi_jackknife


def normal(clips: int, dim: int, seed: int, scale: float = 1.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(clips, dim, generator=rng, dtype=torch.float64) * scale


def test_is_the_biased_mmd_of_the_squared_kernel():
    x, y = normal(30, 7, 1), normal(20, 7, 2, 1.5)
    kernel = lambda a, b: ((a @ b.T / 7) ** 2).mean()  # noqa: E731
    assert jedi_distance(x, y) == pytest.approx(
        100 * (kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)).item(), rel=1e-10
    )


def test_blind_to_signs_and_zero_for_a_set_and_itself():
    x = normal(30, 7, 1)
    assert jedi_distance(x, x) == 0
    assert jedi_distance(x, -x) == 0
    assert jedi_distance(x, normal(20, 7, 2)) == jedi_distance(normal(20, 7, 2), x) > 0


def test_jackknife_by_hand_and_without_bias():
    x, y = normal(40, 5, 1), normal(37, 5, 2)
    bx, by = deal_blocks(40, 8), deal_blocks(37, 8)
    by_hand = block_jackknife(jedi_distance(x, y), lambda b: jedi_distance(x[bx != b], y[by != b]), 8)
    found = jedi_jackknife(x, y, blocks=8)
    assert found.standard_error == pytest.approx(by_hand.standard_error, rel=1e-9)
    assert found.bias_corrected == pytest.approx(by_hand.bias_corrected, rel=1e-9)
    # two sets of one law: all of the value is bias
    many = [jedi_jackknife(normal(100, 10, 2 * s), normal(100, 10, 2 * s + 1)) for s in range(20)]
    plain = sum(e.value for e in many)
    assert abs(sum(e.bias_corrected for e in many)) < 0.15 * plain
