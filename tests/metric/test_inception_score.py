import math

import pytest
import torch

from vgen.metric.inception_score import InceptionScore, inception_score


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_extremes():
    sure = torch.eye(5).repeat(8, 1) * 1000
    assert inception_score(sure, splits=1).mean == pytest.approx(5.0, rel=1e-12)
    assert inception_score(sure, splits=1).std == 0.0
    assert inception_score(torch.zeros(40, 5), splits=4).mean == pytest.approx(1.0, rel=1e-12)
    same = normal(1, 5).expand(40, 5)
    assert inception_score(same, splits=2).mean == pytest.approx(1.0, rel=1e-12)
    # half of the clips sure of one class, half of another
    two = torch.eye(2).repeat_interleave(10, 0) * 1000
    assert inception_score(two, splits=1).mean == pytest.approx(2.0, rel=1e-12)
    assert inception_score(two, splits=2, order="given").mean == pytest.approx(1.0, rel=1e-12)


def test_definition():
    logits = normal(23, 4)
    p = logits.softmax(dim=1)
    scores = []
    for start, end in ((0, 7), (7, 15), (15, 23)):
        part = p[start:end]
        scores.append((part * (part / part.mean(0)).log()).sum(1).mean().exp().item())
    found = inception_score(logits, splits=3, order="given")
    assert found.mean == pytest.approx(sum(scores) / 3, rel=1e-12)
    assert found.std == pytest.approx(
        math.sqrt(sum((s - sum(scores) / 3) ** 2 for s in scores) / 3), rel=1e-9
    )


def test_standard_error_is_the_scatter_of_fresh_sets():
    found = [InceptionScore(splits=2).measure(*(normal(200, 6, seed=s),) * 2) for s in range(40)]
    values = torch.tensor([e["inception_score"].value for e in found])
    errors = torch.tensor([e["inception_score"].standard_error for e in found])
    assert 0.7 < errors.mean() / values.std() < 1.4


def test_real_clips_and_frames():
    real, fake = normal(40, 3, 6, seed=1), normal(30, 3, 6, seed=2)
    metric = InceptionScore(reads="frame_logits", splits=2)
    found = metric.measure(real, fake)["inception_score"]
    assert found.value == inception_score(fake.reshape(-1, 6), splits=2).mean
    assert found.real == inception_score(real.reshape(-1, 6), splits=2).mean
    still = normal(40, 6, seed=3)[:, None].repeat(1, 5, 1)
    one = InceptionScore(splits=1).measure(still[:, 0], still[:, 0])["inception_score"]
    many = InceptionScore(reads="frame_logits", splits=1).measure(still, still)["inception_score"]
    assert many.value == pytest.approx(one.value, rel=1e-10)
    assert many.standard_error == pytest.approx(one.standard_error, rel=1e-10)
    assert metric.warnings(real, fake)
    assert not metric.warnings(real, real)


def test_errors():
    with pytest.raises(ValueError, match="19 clips for 10 splits; set splits to 9 or less"):
        inception_score(normal(19, 4))
    for options in ({"reads": "clip"}, {"order": "random"}, {"splits": 0}):
        with pytest.raises(ValueError, match="of the inception score"):
            InceptionScore(**options)
    assert InceptionScore(seed=42).stamp == "10splits,shuffle42"
    assert InceptionScore(splits=1, order="given").stamp == "1splits,given order"
