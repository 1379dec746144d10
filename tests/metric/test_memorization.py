import pytest
import torch

from vgen.metric import memorization
from vgen.metric.memorization import Memorization, authentic, nearest, too_near


def drawn(clips, seed, dim=8):
    return torch.randn(clips, dim, generator=torch.Generator().manual_seed(seed))


def test_nearest_by_hand(monkeypatch):
    monkeypatch.setattr(memorization, "_PIECE", 2)
    points = torch.tensor([[0.0], [1.0], [3.0], [3.0], [10.0]])
    own = nearest(points, points, count=2, same=True)
    assert own.distance.tolist() == [[1, 3], [1, 2], [0, 2], [0, 2], [7, 7]]
    assert own.index[:3, 0].tolist() == [1, 0, 3]
    assert nearest(torch.tensor([[9.0], [0.4]]), points).index.tolist() == [[4], [0]]


def test_shares_by_hand():
    real = torch.tensor([[0.0], [1.0], [10.0], [14.0]])
    fake = torch.tensor([[0.5], [12.5], [3.0], [100.0]])  # 0.5, 1.5, 2 and 86 from a real clip
    own, to_real = nearest(real, real, count=2, same=True), nearest(fake, real)
    # own distances are 1, 1, 4, 4
    assert too_near(to_real.distance[:, 0], own.distance[:, 0], quantile=0.5).tolist() == [1, 0, 0, 0]
    # that of the nearest real clip is 1, 4, 1, 4
    assert authentic(to_real, own).tolist() == [0, 0, 1, 1]


def test_copies_fresh_clips_and_noise():
    metric = Memorization()
    real, fresh = drawn(600, 1), drawn(600, 2)
    copies = metric.measure(real, real[:50])
    assert copies["memorization"].value == 1
    assert copies["authenticity"].value == 0
    new = metric.measure(real, fresh)
    assert new["memorization"].value < 0.03
    assert new["memorization"].real == pytest.approx(0.01, abs=0.005)
    assert abs(new["authenticity"].value - new["authenticity"].real) < 0.08
    assert metric.measure(real, 10 * fresh)["authenticity"].value == 1


def test_more_copies_more_memorization():
    metric, real, fresh = Memorization(), drawn(300, 1), drawn(300, 2)
    values = []
    for share in (0, 60, 150, 300):
        fake = torch.cat([real[:share] + 0.01 * drawn(share, 3), fresh[share:]])
        values.append(metric.measure(real, fake)["memorization"].value)
    assert values == sorted(values)
    assert values[1] == pytest.approx(0.2, abs=0.03)


def test_a_set_that_repeats_its_clips_is_the_same_set():
    metric, real, fake = Memorization(), drawn(200, 1), drawn(100, 2)
    assert metric.measure(torch.cat([real, real[:150]]), fake) == metric.measure(real, fake)


def test_offenders_are_the_nearest_pairs():
    real, fake = drawn(30, 1), drawn(20, 2)
    fake[7], fake[3] = real[11], real[5] + 0.01
    found = Memorization().offenders(real, fake, 3)
    assert [pair[:2] for pair in found[:2]] == [(7, 11), (3, 5)]
    assert found[0][2] == 0
    assert found[2][2] == pytest.approx(
        torch.cdist(fake, real).min(dim=1).values.sort().values[2].item(), rel=1e-4
    )


def test_refusals_and_warnings():
    with pytest.raises(ValueError, match="at least 3"):
        Memorization().measure(drawn(2, 1), drawn(5, 2))
    with pytest.raises(ValueError, match="quantile=0"):
        Memorization(quantile=0.0)
    real = drawn(50, 1)
    said = Memorization().warnings(torch.cat([real, real[:3]]), drawn(5, 2))
    assert "50 different real clips are too few for a 0.01 quantile" in said[0]
    assert not Memorization().warnings(drawn(100, 1), drawn(5, 2))
