import math

import pytest
import torch

from vgen.metric.disentanglement import Disentanglement, exclusiveness, part_variances


def redrawn(function, bases=200, draws=6, seed=0):
    """Features of a toy generator function(content, motion), with each part redrawn in turn."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    content, motion = normal(bases, 1), normal(bases, 1)
    still = torch.ones(bases, draws, dtype=torch.float64)
    return {
        "content": function(normal(bases, draws), motion * still),
        "motion": function(content * still, normal(bases, draws)),
    }


def features(*each):
    return torch.stack(torch.broadcast_tensors(*each), dim=2)


def test_each_feature_follows_one_part():
    metric = Disentanglement()
    found = metric.measure_parts(redrawn(lambda c, m: features(c, 100 * m, c**3)))
    assert found["disentanglement"].value == pytest.approx(1)
    assert found["variance_content"].value == pytest.approx(2 / 3, abs=0.1)
    assert found["variance_motion"].value == pytest.approx(1 / 3, abs=0.05)


def test_appearance_alone():
    found = Disentanglement().measure_parts(redrawn(lambda c, m: features(c, 2 * c + 1)))
    assert found["variance_content"].value == pytest.approx(
        1, abs=4 * found["variance_content"].standard_error
    )
    assert found["variance_motion"].value == 0


def test_sum_and_product():
    total = part_variances(redrawn(lambda c, m: features(c + m), bases=2000)).mean(dim=1)
    assert total[:, 0].tolist() == pytest.approx([0.5, 0.5], abs=0.05)
    assert exclusiveness(total) < 0.02
    # all of a product's variance needs both: the total-effect indices add up to 2
    total = part_variances(redrawn(lambda c, m: features(c * m), bases=2000)).mean(dim=1)
    assert total[:, 0].tolist() == pytest.approx([1.0, 1.0], abs=0.15)


def test_exclusiveness_by_hand():
    shares = torch.tensor([[1.0, 0.5, 0.75], [0.0, 0.5, 0.25]], dtype=torch.float64)
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert exclusiveness(shares) == pytest.approx((1 + 0 + 1 - entropy) / 3)


def test_unmoved_features_do_not_count():
    noise = torch.full((1, 1), 7.0, dtype=torch.float64)
    shares = part_variances(redrawn(lambda c, m: features(c, noise)))
    assert shares.shape == (2, 200, 1)


def test_standard_error_is_that_of_fresh_draws():
    found = [
        Disentanglement(bases=40).measure_parts(redrawn(lambda c, m: features(c + m, c), bases=40, seed=seed))
        for seed in range(30)
    ]
    for name in ("disentanglement", "variance_content"):
        values = torch.tensor([each[name].value for each in found])
        error = sum(each[name].standard_error for each in found) / 30
        # the total variance is taken as given
        assert 0.4 < error / values.std().item() < 1.8


def test_contract():
    metric = Disentanglement(parts=["content", "motion", "noise"], reads="flow")
    assert metric.needs_generator
    assert metric.names == ("disentanglement", "variance_content", "variance_motion", "variance_noise")
    assert set(metric.higher_is_better) == set(metric.names)
    assert metric.higher_is_better["disentanglement"] is True
    assert metric.stamp == "content+motion+noise,64x8"


def test_refusals():
    good = redrawn(lambda c, m: features(c, m), bases=4)
    metric = Disentanglement()
    frozen = {part: torch.ones(4, 3, 2) for part in good}
    for given, message in (
        (frozen, "changes no feature"),
        ({"content": good["content"]}, "asks for"),
        (good | {"motion": good["motion"][:, :2]}, "one shape"),
        ({part: x[:, :1] for part, x in good.items()}, "at least 2 bases and 2 draws"),
        ({part: x * math.nan for part, x in good.items()}, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.measure_parts(given)
    with pytest.raises(ValueError, match="at least 2 different names"):
        Disentanglement(parts=["content"])
