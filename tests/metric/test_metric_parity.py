"""Against torchmetrics, and against torch-fidelity's own functions where it can be imported."""

import importlib

import pytest
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from vgen.metric.frechet import frechet_distance
from vgen.metric.inception_score import inception_score
from vgen.metric.kernel import polynomial_mmd
from vgen.metric.kernel_subsets import subset_mmd
from vgen.metric.monge import monge_distance
from vgen.metric.precision_recall import precision_recall


def normal(clips: int, seed: int, dim: int = 12, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(clips, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


class Features(nn.Module):
    """Hands features through, for metrics that want to extract them."""

    num_features = 12

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def test_torchmetrics_frechet():
    real, fake = normal(90, 1), normal(70, 2, scale=1.4)
    metric = FrechetInceptionDistance(feature=Features()).set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert frechet_distance(real, fake) == pytest.approx(metric.compute().item(), rel=1e-9)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all")
def test_torchmetrics_kernel_on_one_subset_of_everything():
    real, fake = normal(60, 1), normal(60, 2, scale=1.4)
    metric = KernelInceptionDistance(feature=Features(), subsets=1, subset_size=60).set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert polynomial_mmd(real, fake) == pytest.approx(metric.compute()[0].item(), rel=1e-9)


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save all")
@pytest.mark.filterwarnings("ignore:std():UserWarning")
def test_torchmetrics_inception_score_of_one_split():
    logits = normal(80, 3, scale=3.0)
    metric = InceptionScore(feature=Features(), splits=1).set_dtype(torch.float64)
    metric.update(logits)
    assert inception_score(logits, splits=1).mean == pytest.approx(metric.compute()[0].item(), rel=1e-9)


def fidelity(module: str):
    """A module of torch-fidelity, whose import wants a torchvision that fits torch."""
    try:
        return importlib.import_module(f"torch_fidelity.{module}")
    except Exception as error:
        pytest.skip(f"torch-fidelity cannot be imported: {error}")


def test_torch_fidelity_frechet():
    fid = fidelity("metric_fid")
    real, fake = normal(90, 1), normal(70, 2, scale=1.4)
    statistics = [fid.fid_features_to_statistics(side) for side in (fake, real)]
    expected = fid.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)


def test_torch_fidelity_kid_subsets():
    real, fake = normal(90, 1), normal(70, 2, scale=1.4)
    expected = fidelity("metric_kid").kid_features_to_metric(
        fake, real, kid_subsets=7, kid_subset_size=30, rng_seed=5, verbose=False
    )
    found = subset_mmd(real, fake, subsets=7, size=30, seed=5)
    assert found.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-9)
    assert found.std == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-9)


@pytest.mark.parametrize("k", [1, 3])
def test_torch_fidelity_precision_and_recall(k):
    real, fake = normal(90, 1), normal(70, 2, scale=1.1)
    expected = fidelity("metric_prc").prc_features_to_metric(
        real, fake, prc_neighborhood=k, prc_batch_size=50, save_cpu_ram=False, verbose=False
    )
    # its versions differ in which input is the generated one
    found = sorted(precision_recall(real, fake, k=k))
    assert found == pytest.approx(sorted((expected["precision"], expected["recall"])), rel=1e-6)


def test_torch_fidelity_inception_score():
    logits = normal(85, 3, scale=3.0)
    expected = fidelity("metric_isc").isc_features_to_metric(logits, splits=4, shuffle=True, rng_seed=9)
    found = inception_score(logits, splits=4, seed=9)
    assert (found.mean, found.std) == pytest.approx(tuple(expected.values()), rel=1e-9)


def test_torch_fidelity_monge():
    real, fake = normal(90, 1), normal(70, 2, scale=1.4)
    mind = fidelity("metric_mind")
    expected = mind.mind_features_to_metric(
        fake, real, mind_num_projections=50, rng_seed=3, cuda=False, verbose=False
    )
    found = monge_distance(real, fake, projections=50, seed=3)
    assert found == pytest.approx(expected["monge_inception_distance"], rel=1e-5)
