import pytest
import torch
from torch import Tensor

from vgen.metric.density_coverage import DensityCoverage
from vgen.metric.frechet import FrechetDistance
from vgen.metric.frechet_infinity import FrechetInfinity
from vgen.metric.inception_score import InceptionScore
from vgen.metric.jackknife import Estimate, influence_error
from vgen.metric.jedi import JEDi
from vgen.metric.kernel import KernelDistance
from vgen.metric.kernel_subsets import KernelSubsets
from vgen.metric.monge import MongeDistance
from vgen.metric.names import HIGHER_IS_BETTER
from vgen.metric.precision_recall import PrecisionRecall
from vgen.metric.rbf import RBFDistance
from vgen.metric.stream import Stream
from vgen.metric.two_sets import TwoSets
from vgen.metric.vendi import Vendi

METRICS = [
    FrechetDistance,
    lambda: FrechetDistance(reads="frames"),
    FrechetInfinity,
    KernelDistance,
    lambda: KernelSubsets(subsets=4, size=20),
    RBFDistance,
    JEDi,
    InceptionScore,
    lambda: InceptionScore(reads="frame_logits", splits=2),
    PrecisionRecall,
    DensityCoverage,
    Vendi,
    Stream,
    lambda: MongeDistance(projections=20),
]


def clips(count: int, seed: int, role: str, shift: float = 0.0) -> Tensor:
    frames = (4,) if "frame" in role else ()
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, *frames, 5, generator=rng) + shift


@pytest.fixture(params=METRICS)
def metric(request) -> TwoSets:
    return request.param()


def test_every_metric_keeps_the_contract(metric):
    real, fake = clips(40, 1, metric.reads), clips(40, 2, metric.reads, 0.2)
    assert metric.stamp
    assert dict(metric.higher_is_better) == {name: HIGHER_IS_BETTER[name] for name in metric.names}
    found = metric.measure(real, fake)
    assert tuple(found) == metric.names
    values = metric.values(real, fake)
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(values[name], rel=1e-12)
        assert estimate.standard_error is not None
        assert estimate.standard_error >= 0
    assert all(isinstance(said, str) for said in metric.warnings(real, fake))


def test_batches_do_not_matter_nor_order_with_an_index(metric):
    real, fake = clips(40, 1, metric.reads), clips(40, 2, metric.reads)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    for part in order.split(7):
        metric.update(real[part], real=True, index=part)
    for part in torch.arange(40).split(16):
        metric.update(fake[part], real=False, index=part)
    assert metric.estimates() == metric.measure(real, fake)
    values = metric.compute()
    values = {metric.names[0]: values} if isinstance(values, Tensor) else values
    for name, value in metric.values(real, fake).items():
        assert values[name].dtype == torch.float64
        assert values[name].item() == value


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda x: x[:1], "1 fake clips"),
        (lambda x: torch.cat([x[:-1], x[-1:] * float("nan")]), "1 of 40 fake clips have NaN"),
        (lambda x: x[..., :3], "5 features, fake clips"),
        (lambda x: x.reshape(40, -1, 1, 5), "shape"),
    ],
)
def test_useless_features_are_one_clear_line(metric, spoil, said):
    real = clips(40, 1, metric.reads)
    with pytest.raises(ValueError, match=said) as error:
        metric.measure(real, spoil(real))
    assert "\n" not in str(error.value)


def test_layouts_must_agree():
    metric = FrechetDistance(reads="frames")
    metric.update(clips(3, 1, "frames"), real=True)
    with pytest.raises(ValueError, match=r"\(2, 6, 5\) follow some of \(clips, 4, 5\)"):
        metric.update(torch.zeros(2, 6, 5), real=True)
    with pytest.raises(ValueError, match="shape"):
        metric.update(torch.zeros(7), real=True)
    with pytest.raises(ValueError, match="index of shape"):
        metric.update(clips(3, 1, "frames"), real=True, index=torch.arange(2))


def test_reset_forgets_the_layout():
    metric = FrechetDistance(reads="frames")
    metric.update(clips(3, 1, "frames"), real=True)
    metric.reset()
    metric.update(torch.zeros(2, 6, 5), real=True)
    assert metric.sets()[0].shape == (2, 6, 5)


class Labelled(TwoSets):
    names = ("mcs",)
    reads_labels = True

    def measure_labelled(
        self, real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor
    ) -> dict[str, Estimate]:
        return {"mcs": Estimate(float(real_labels @ torch.arange(len(real)) - fake_labels.sum()))}


def test_labels_follow_their_clips():
    metric = Labelled()
    with pytest.raises(ValueError, match="needs the class"):
        metric.update(clips(3, 1, "clip"), real=True)
    order = torch.tensor([2, 0, 1, 2])
    metric.update(clips(3, 1, "clip")[order], real=True, index=order, labels=order * 10)
    metric.update(clips(2, 2, "clip"), real=False, labels=torch.tensor([3, 4]))
    assert metric.compute().item() == 10 * 1 + 20 * 2 - 7  # pyright: ignore[reportAttributeAccessIssue]


def test_error_of_a_mean_from_influences():
    values = torch.tensor([1.0, 4.0, 2.0, 7.0]).double()
    expected = (values.var() / 4).sqrt().item()
    assert influence_error(values / 4) == pytest.approx(expected)
    # frames of one clip count together
    frames = values[:, None] * torch.tensor([0.5, 1.5]).double() / 8
    assert influence_error(frames) == pytest.approx(expected)
    assert influence_error(values / 4, values / 4) == pytest.approx(expected * 2**0.5)
