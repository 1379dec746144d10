"""What all statistics that are a mean over clips have in common, and the small ones among them in closed form."""

import math

import pytest
import torch

from vgen.metric.acd import ContentDistance
from vgen.metric.color_similarity import ColorSimilarity, curve
from vgen.metric.dynamic_degree import DynamicDegree
from vgen.metric.frozen_rate import FrozenRate
from vgen.metric.motion_smoothness import MotionSmoothness
from vgen.metric.subject_consistency import SubjectConsistency
from vgen.metric.temporal_flickering import TemporalFlickering

SHAPES = [
    (TemporalFlickering, (7, 3)),
    (FrozenRate, (7, 3)),
    (DynamicDegree, (7, 5, 5, 4)),
    (MotionSmoothness, (3,)),
    (SubjectConsistency, (8, 6)),
    (ContentDistance, (8, 3)),
    (ColorSimilarity, (8,)),
]


def drawn(clips, shape, seed):
    return torch.rand(clips, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("metric", "shape"), SHAPES)
def test_mean_standard_error_and_real_value(metric, shape):
    metric = metric()
    real, fake = drawn(5, shape, 1), drawn(9, shape, 2)
    found = metric.measure(real, fake)
    assert set(found) == set(metric.names) == set(metric.higher_is_better)
    for name in metric.names:
        of_fake, of_real = metric.per_clip(fake.double())[name], metric.per_clip(real.double())[name]
        assert of_fake.shape == (9,)
        assert found[name].value == pytest.approx(of_fake.mean().item(), rel=1e-12)
        assert found[name].real == pytest.approx(of_real.mean().item(), rel=1e-12)
        error = math.sqrt(of_fake.var().item() / 9)
        assert found[name].standard_error == pytest.approx(error, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("metric", "shape"), SHAPES)
def test_streaming_in_any_order_gives_the_same(metric, shape):
    metric = metric()
    real, fake = drawn(5, shape, 1), drawn(9, shape, 2)
    for part in fake.flip(0).split(4):
        metric.update(part, real=False)
    metric.update(real, real=True)
    found = metric.compute()
    found = found if isinstance(found, dict) else {metric.names[0]: found}
    for name, estimate in metric.measure(real, fake).items():
        assert found[name].dtype == torch.float64
        assert found[name].item() == pytest.approx(estimate.value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("metric", "shape"), SHAPES)
def test_degenerate_sets_are_refused(metric, shape):
    good = drawn(4, shape, 1)
    broken = good.clone()
    broken.view(4, -1)[2, 0] = math.nan
    for real, fake, message in (
        (good, good[:1], "1 fake clips"),
        (good[:0], good, "0 real clips"),
        (good, broken, "1 of 4 fake clips have NaN"),
        (good, good.flatten()[:4], "shape"),
    ):
        with pytest.raises(ValueError, match=message):
            metric().measure(real, fake)


def test_flickering_is_the_formula():
    change = torch.zeros(2, 3, 3)
    change[1, :, 0] = torch.tensor([255.0, 0.0, 127.5])
    assert TemporalFlickering().measure(change, change)["temporal_flickering"].value == pytest.approx(
        (1 + 0.5) / 2
    )


def test_frozen_clips_and_steps():
    still, drift, blink, moving = torch.zeros(4, 4, 3)
    drift[:, 1], drift[:, 2] = 1.5, torch.tensor([1.5, 3.0, 4.5, 6.0])  # each step below eps, not their sum
    blink[1, 1:], blink[2, 1] = 90.0, 90.0
    moving[:, 1:] = 50.0
    found = FrozenRate(eps=2.0).measure(*[torch.stack([still, drift, blink, moving])] * 2)
    assert found["frozen_rate"].value == 1 / 4
    assert found["frozen_steps"].value == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    with pytest.raises(ValueError, match="eps=-1"):
        FrozenRate(eps=-1.0)


def test_smoothness_is_the_formula():
    errors = torch.tensor([[0.0, 0.0], [51.0, 0.0]])
    assert MotionSmoothness().measure(errors, errors)["motion_smoothness"].value == pytest.approx(
        (1 + 0.9) / 2
    )


def test_consistency_by_hand():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    frames = torch.stack([torch.stack([a, a, b]), torch.stack([a, 2 * a, 5 * a]), torch.stack([a, -a, a])])
    per_clip = SubjectConsistency().per_clip(frames.double())["subject_consistency"]
    # cosines with the previous and the first frame: (1, 1), (0, 0); all 1; (-1, -1), (-1, 1), negative ones cut off
    assert per_clip.tolist() == pytest.approx([0.5, 1.0, 0.25])
    with pytest.raises(ValueError, match="2 frames"):
        SubjectConsistency().measure(frames[:, :1], frames[:, :1])


def test_content_distance_by_hand():
    frozen = torch.full((3, 3), 40.0)
    walk = torch.tensor([[0.0, 0, 0], [3, 4, 0], [6, 8, 0]])
    found = ContentDistance().measure(*[torch.stack([frozen, walk])] * 2)
    assert found["acd"].value == pytest.approx((0 + (5 + 5 + 10) / 3) / 2)
    assert found["acd_consecutive"].value == pytest.approx(5 / 2)
    assert ContentDistance().per_clip(frozen[None].double())["acd"].item() == 0
    assert ContentDistance(reads="frames").reads == "frames"
    with pytest.raises(ValueError, match="color or frames"):
        ContentDistance(reads="clip")  # pyright: ignore[reportArgumentType]


def test_color_similarity_and_its_curve():
    similarity = torch.tensor([[1.0, 0.8, 0.6], [1.0, 1.0, 1.0]])
    found = ColorSimilarity().measure(similarity, similarity)
    assert found["color_similarity"].value == pytest.approx((0.7 + 1) / 2)
    assert found["color_similarity_last"].value == pytest.approx(0.8)
    mean, spread = curve(similarity)
    assert mean.tolist() == pytest.approx([1.0, 0.9, 0.8])
    assert spread.tolist() == pytest.approx([0.0, 0.2 / 2**0.5, 0.4 / 2**0.5])


def test_dynamic_degree_counts_fast_pairs():
    flow = torch.zeros(3, 15, 10, 10, 4)
    flow[0, :3, 0, :5, 0] = 0.1  # 5 of 100 points, in 3 of 15 pairs: round(60 / 16) = 4 are needed
    flow[1, :4, 0, :5, 1] = -0.1
    flow[2, :, 0, :1] = 0.1  # one point alone, sqrt(0.02): the mean of the top 5 is 0.028
    found = DynamicDegree(threshold=0.05).measure(flow, flow)
    assert found["dynamic_degree"].value == pytest.approx(1 / 3)
    expected = (0.1 * 3 / 15 + 0.1 * 4 / 15 + math.sqrt(0.02) / 5) / 3
    assert found["motion_magnitude"].value == pytest.approx(expected, rel=1e-6)
    assert DynamicDegree(threshold=0.02).measure(flow, flow)["dynamic_degree"].value == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="threshold=-1"):
        DynamicDegree(threshold=-1.0)
