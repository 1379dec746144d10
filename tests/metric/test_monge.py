import pytest
import torch

from vgen.metric.jackknife import block_jackknife, deal_blocks
from vgen.metric.monge import MongeDistance, monge_distance


def normal(clips: int, seed: int, dim: int = 5) -> torch.Tensor:
    return torch.randn(clips, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_dimension_is_the_sorted_difference():
    x, y = normal(30, 1, dim=1), 2 * normal(30, 2, dim=1)
    expected = 3 * (x.sort(dim=0).values - y.sort(dim=0).values).square().mean().item()
    # the two directions of a line are alike
    assert monge_distance(x, y, projections=4) == pytest.approx(expected, rel=1e-6)


def test_a_shift_costs_three_times_its_square():
    # E (u.s)^2 = |s|^2 / D over unit directions u
    x = normal(50, 1, dim=8)
    shift = torch.arange(8).double()
    assert monge_distance(x, x + shift, projections=20000) == pytest.approx(
        3 * shift.square().sum().item(), rel=0.03
    )
    assert monge_distance(x, x.flip(0)) == pytest.approx(0.0, abs=1e-20)


def test_jackknife_leaves_blocks_out_exactly():
    x, y = normal(40, 1), 1.5 * normal(40, 2)
    of = deal_blocks(40, 32)
    by_hand = block_jackknife(
        0.0, lambda b: monge_distance(x[of != b], y[of != b], projections=30), blocks=32
    )
    found = MongeDistance(projections=30).measure(x, y)["mind"]
    assert found.value == pytest.approx(monge_distance(x, y, projections=30), rel=1e-12)
    assert found.standard_error == pytest.approx(by_hand.standard_error, rel=1e-9)


def test_the_larger_set_is_cut():
    x, y = normal(60, 1), normal(25, 2)
    assert monge_distance(x, y) == monge_distance(x, y)
    assert monge_distance(x, y) != monge_distance(x[:25], y)
    assert MongeDistance().measure(x, y)["mind"].standard_error is not None
    with pytest.raises(ValueError, match="projections=0"):
        MongeDistance(projections=0)
