import numpy as np
import pytest
import torch
from torch import Tensor

from vgen.metric.kernel import PolynomialKernel, kernel_jackknife, polynomial_mmd
from vgen.metric.kernel_subsets import KernelSubsets, subset_mmd


def normal(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=rng, dtype=torch.float64) * scale


def test_mean_over_the_subsets_drawn():
    real, fake = normal(50, 6, seed=1), normal(40, 6, seed=2, scale=1.5)
    kernel = PolynomialKernel(degree=2, gamma=0.5, coef0=0.0)
    stream, by_hand = np.random.RandomState(7), []
    for _ in range(5):
        y = fake[stream.choice(40, 12, replace=False)]
        x = real[stream.choice(50, 12, replace=False)]
        by_hand.append(polynomial_mmd(x, y, degree=2, gamma=0.5, coef0=0.0))
    found = subset_mmd(real, fake, subsets=5, size=12, seed=7, kernel=kernel)
    assert found.mean == pytest.approx(np.mean(by_hand), rel=1e-10)
    assert found.std == pytest.approx(np.std(by_hand), rel=1e-10)


def test_one_subset_of_everything_is_kvd_with_its_error():
    real, fake = normal(150, 6, seed=1), normal(150, 6, seed=2, scale=1.4)
    full = kernel_jackknife(real, fake, blocks=150)
    found = KernelSubsets(reads="clip", subsets=1, size=150).measure(real, fake)["kid"]
    assert found.value == pytest.approx(full.value, rel=1e-10)
    assert found.standard_error == pytest.approx(full.standard_error, rel=0.05)


def test_frames_of_one_clip_do_not_add_certainty():
    real, fake = normal(60, 6, seed=1), normal(60, 6, seed=2, scale=1.4)
    still = [side[:, None].repeat(1, 3, 1) for side in (real, fake)]
    one = KernelSubsets(reads="clip", subsets=1, size=60).measure(real, fake)["kid"]
    many = KernelSubsets(subsets=1, size=180).measure(*still)["kid"]
    assert many.standard_error == pytest.approx(one.standard_error, rel=0.1)


def test_subsets_larger_than_the_set_are_refused():
    with pytest.raises(
        ValueError, match=r"subsets of 1000 cannot be drawn from 50 real and 40 fake.*size to 40"
    ):
        subset_mmd(normal(50, 6, seed=1), normal(40, 6, seed=2))
    with pytest.raises(ValueError, match="0 subsets"):
        KernelSubsets(subsets=0)
    assert KernelSubsets(gamma=1.0).stamp == "deg3,gamma=1,coef1,100x1000,seed2020"
