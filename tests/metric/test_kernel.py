import numpy as np
import pytest
import torch

from vgen.metric import mmd
from vgen.metric.kernel import KernelDistance, kernel_jackknife, polynomial_mmd
from vgen.metric.rbf import RBFDistance, rbf_mmd


def normal(clips, dim, seed, shift=0.0):
    return torch.randn(clips, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def by_definition(x, y, degree=3, gamma=None, coef0=1.0):
    gamma = gamma or 1 / x.shape[1]
    xx, yy, xy = ((gamma * a @ b.T + coef0) ** degree for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    return (
        (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1)) - 2 * xy.mean()
    ).item()


@pytest.mark.parametrize("piece", [7, 2048])
def test_pieces_and_blocks_add_up(monkeypatch, piece):
    monkeypatch.setattr(mmd, "_PIECE", piece)
    x, y = normal(40, 6, 1), normal(23, 6, 2, shift=0.5)
    for options in ({}, {"degree": 2, "gamma": 0.3, "coef0": 0.0}):
        expected = by_definition(x, y, **options)
        assert polynomial_mmd(x, y, **options) == pytest.approx(expected, rel=1e-10)
        assert kernel_jackknife(x, y, **options, blocks=9).value == pytest.approx(expected, rel=1e-10)


def test_jackknife_leaves_blocks_out_exactly():
    from vgen.metric.jackknife import block_jackknife, deal_blocks

    x, y = normal(24, 4, 1), normal(10, 4, 2)
    bx, by = deal_blocks(24, 5), deal_blocks(10, 5)
    by_hand = block_jackknife(0.0, lambda b: by_definition(x[bx != b], y[by != b]), blocks=5)
    assert kernel_jackknife(x, y, blocks=5).standard_error == pytest.approx(by_hand.standard_error, rel=1e-8)


def test_unbiased_and_its_standard_error():
    estimates = [
        kernel_jackknife(normal(100, 10, 2 * s), normal(100, 10, 2 * s + 1, 0.3), blocks=10)
        for s in range(30)
    ]
    values = torch.tensor([e.value for e in estimates])
    # the expectation under the two laws, by a sample thirty times as large
    truth = polynomial_mmd(normal(3000, 10, 1001), normal(3000, 10, 1002, 0.3))
    assert abs(values.mean() - truth) < 3 * values.std() / 30**0.5
    assert 0.6 < np.mean([e.standard_error for e in estimates]) / values.std() < 1.6


def test_metric_names_its_kernel():
    metric = KernelDistance(gamma=0.5)
    x, y = normal(30, 5, 1), normal(20, 5, 2)
    metric.update(x, real=True)
    metric.update(y, real=False)
    assert metric.compute().item() == pytest.approx(
        polynomial_mmd(x.float(), y.float(), gamma=0.5), rel=1e-12
    )
    assert metric.stamp == "deg3,gamma=0.5,coef1"
    assert KernelDistance().stamp == "deg3,gamma=1/D,coef1"
    with pytest.raises(ValueError, match="gamma"):
        KernelDistance(gamma=-1.0)
    with pytest.raises(ValueError, match="1 fake clips"):
        polynomial_mmd(x, y[:1])


def test_gaussian_kernel_by_definition():
    x, y = normal(40, 6, 1), normal(23, 6, 2, shift=0.5)
    xx, yy, xy = (torch.exp(-torch.cdist(a, b).square() / 8) for a, b in ((x, x), (y, y), (x, y)))
    expected = (xx.sum() - 40) / (40 * 39) + (yy.sum() - 23) / (23 * 22) - 2 * xy.mean()
    assert rbf_mmd(x, y, sigma=2.0) == pytest.approx(expected.item(), rel=1e-9)
    found = RBFDistance(sigma=2.0).measure(x, y)["mmd_rbf"]
    assert found.value == pytest.approx(expected.item(), rel=1e-9)
    assert found.standard_error > 0
    with pytest.raises(ValueError, match="sigma 0"):
        RBFDistance(sigma=0.0)
