"""What public tools gave on fixed features, by the conventions of each; `expected.json` names tool and arguments."""

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vgen.metric.density_coverage import density_coverage
from vgen.metric.frechet import frechet_distance
from vgen.metric.frechet_infinity import frechet_infinity
from vgen.metric.inception_score import inception_score
from vgen.metric.jedi import jedi_distance
from vgen.metric.kernel import kernel_jackknife, polynomial_mmd
from vgen.metric.kernel_subsets import subset_mmd
from vgen.metric.monge import monge_distance
from vgen.metric.precision_recall import precision_recall
from vgen.metric.rbf import rbf_mmd
from vgen.metric.vendi import vendi_score

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics"
SHARED = Path(os.environ.get("VGEN_SHARED", Path(__file__).parents[3] / "shared")) / "golden" / "metrics"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())

no_shared = pytest.mark.skipif(not SHARED.exists(), reason="no shared golden values here")
large = [pytest.mark.shared_data, no_shared]


@cache
def features(name: str) -> Tensor:
    folder = GOLDEN if (GOLDEN / f"{name}.npy").exists() else SHARED
    return torch.from_numpy(np.load(folder / f"{name}.npy"))


def small_pair() -> tuple[Tensor, Tensor]:
    return features("feat_real_600x64"), features("feat_fake_500x64")


def large_pair() -> tuple[Tensor, Tensor]:
    return features("feat_x_1024x400"), features("feat_y_1024x400")


PAIRS = [("FD real/fake", small_pair), pytest.param("FD x/y", large_pair, marks=large)]


@pytest.mark.parametrize(("entry", "pair"), PAIRS)
@pytest.mark.parametrize(
    ("key", "divisor", "tolerance"),
    [("exact ddof1", "N-1", 1e-9), ("exact ddof0", "N", 1e-9), ("torch_fidelity float64 in", "N-1", 1e-6)],
)
def test_frechet(entry, pair, key, divisor, tolerance):
    value = frechet_distance(*pair(), divisor=divisor)
    assert value == pytest.approx(EXPECTED[entry][key], rel=tolerance)


@pytest.mark.shared_data
@no_shared
def test_frechet_infinity_by_the_published_recipe():
    (expected,) = (value for key, value in EXPECTED.items() if key.startswith("FD_inf"))
    found = frechet_infinity(*large_pair(), smallest=256, reference="fixed", seed=0)
    assert found.sizes == expected["sizes"]
    # the tool's square root loses digits where clips are fewer than features
    assert found.distances == pytest.approx(expected["fds"], rel=1e-6)
    assert found.value == pytest.approx(expected["fd_inf"], rel=1e-6)


def test_kernel():
    (key,) = (key for key in EXPECTED if key.startswith("KVD/MMD unbiased"))
    assert polynomial_mmd(*small_pair()) == pytest.approx(EXPECTED[key], rel=1e-9)
    assert kernel_jackknife(*small_pair()).value == pytest.approx(EXPECTED[key], rel=1e-9)


@pytest.mark.shared_data
@no_shared
def test_kernels_at_400_dimensions():
    polynomial = EXPECTED["torch_fidelity kernel_mmd full x/y unbiased float64"]
    assert polynomial_mmd(*large_pair()) == pytest.approx(polynomial, rel=1e-9)
    gaussian = EXPECTED["torch_fidelity kernel_mmd rbf sigma=10 x/y float64"]
    assert rbf_mmd(*large_pair(), sigma=10.0) == pytest.approx(gaussian, rel=1e-9)


def test_kid_subsets():
    expected = EXPECTED["torch_fidelity KID subsets=100 size=100 seed=2020 float64 features"]
    found = subset_mmd(*small_pair(), subsets=100, size=100, seed=2020)
    assert found.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-9)
    assert found.std == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-9)


@pytest.mark.parametrize(
    ("key", "pair"),
    [
        (
            "jedi = 100*mmd_poly(degree=2,coef0=0,gamma=1/d), biased, real/fake float64",
            small_pair,
        ),
        pytest.param("jedi x/y float64", large_pair, marks=large),
    ],
)
def test_jedi(key, pair):
    assert jedi_distance(*pair()) == pytest.approx(EXPECTED[key], rel=1e-9)


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("torch_fidelity IS splits=10 shuffle seed=2020", {}),
        ("torch_fidelity IS splits=10 no shuffle", {"order": "given"}),
        ("torch_fidelity IS splits=1 no shuffle", {"splits": 1, "order": "given"}),
        ("stylegan-v isv formula splits=10 (RandomState(42).shuffle)", {"seed": 42}),
    ],
)
def test_inception_score(key, options):
    mean, std = EXPECTED[key].values()
    found = inception_score(features("logits_is_1000x101"), **options)
    assert found.mean == pytest.approx(mean, rel=1e-9)
    assert found.std == pytest.approx(std, rel=1e-6, abs=1e-12)


def test_inception_score_of_a_shuffle_not_copied():
    mean, std = EXPECTED["torchmetrics IS splits=10 manual_seed(0) (std is unbiased, ddof1)"]
    found = inception_score(features("logits_is_1000x101"), seed=0)
    assert abs(found.mean - mean) < 3 * std / 10**0.5


@pytest.mark.parametrize("k", [3, 5])
def test_neighbours(k):
    expected = EXPECTED[f"prdc(pip 0.2) k={k} real=feat_real fake=feat_fake"]
    open_balls = precision_recall(*small_pair(), k=k, closed=False)
    assert open_balls == pytest.approx((expected["precision"], expected["recall"]), rel=1e-12)
    found = density_coverage(*small_pair(), k=k)
    assert found == pytest.approx((expected["density"], expected["coverage"]), rel=1e-12)
    expected = EXPECTED[f"torch_fidelity 0.4 prc (Kynkaanniemi, <=) k={k} input1=generated"]
    # its means are float32
    assert precision_recall(*small_pair(), k=k) == pytest.approx(tuple(expected.values()), rel=1e-7)


@pytest.mark.shared_data
@no_shared
def test_neighbours_at_400_dimensions():
    expected = EXPECTED["prdc(pip 0.2) k=5 x,y 1024x400"]
    found = (*precision_recall(*large_pair(), k=5, closed=False), *density_coverage(*large_pair()))
    assert found == pytest.approx(tuple(expected.values()), rel=1e-12)


def test_vendi():
    expected = EXPECTED["dgm_eval vendi (linear, normalised, q=1) on fake"]
    assert vendi_score(features("feat_fake_500x64")) == pytest.approx(expected, rel=1e-9)


@pytest.mark.shared_data
@no_shared
def test_monge_distance():
    expected = EXPECTED["torch_fidelity head MIND x/y 1000 projections seed 2020"]
    # the tool projects in float32
    assert monge_distance(*large_pair()) == pytest.approx(expected["monge_inception_distance"], rel=1e-6)
