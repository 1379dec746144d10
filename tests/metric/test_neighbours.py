import pytest
import torch
from torch import Tensor

from vgen.metric import neighbours
from vgen.metric.density_coverage import DensityCoverage, density_coverage
from vgen.metric.jackknife import block_jackknife, deal_blocks
from vgen.metric.precision_recall import PrecisionRecall, precision_recall


def normal(clips: int, seed: int, dim: int = 4, shift: float = 0.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(clips, dim, generator=rng, dtype=torch.float64) + shift


def by_definition(real: Tensor, fake: Tensor, k: int, closed: bool) -> tuple[float, float, float, float]:
    """Precision, recall, density, coverage clip by clip, from exact distances."""

    def distances(x, y):
        return (x[:, None] - y).square().sum(dim=2)

    def balls(centres, points):
        radii = distances(centres, centres).sort(dim=1).values[:, k]
        apart = distances(centres, points)
        return apart <= radii[:, None] if closed else apart < radii[:, None]

    of_real, of_fake = balls(real, fake), balls(fake, real)
    return (
        of_real.any(dim=0).double().mean().item(),
        of_fake.any(dim=0).double().mean().item(),
        of_real.sum().item() / (k * len(fake)),
        of_real.any(dim=1).double().mean().item(),
    )


def with_duplicates() -> tuple[Tensor, Tensor]:
    """A grid far from the origin, where distances tie and products cancel, and repeated clips on both sides."""
    grid = torch.cartesian_prod(torch.arange(5.0), torch.arange(5.0), torch.arange(2.0)).double()
    real = torch.cat([grid, grid[:7], grid[:3]]) + 1000
    fake = torch.cat([grid[20:], grid[30:40], grid[:4] + 0.5]) + 1000
    return real, fake


@pytest.mark.parametrize("pair", [(normal(60, 1), normal(45, 2, shift=0.4)), with_duplicates()])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("closed", [True, False])
def test_definition_ties_and_duplicates(pair, k, closed):
    found = (*precision_recall(*pair, k=k, closed=closed), *density_coverage(*pair, k=k, closed=closed))
    assert found == pytest.approx(by_definition(*pair, k, closed), rel=1e-12)


def test_pieces_add_up(monkeypatch):
    real, fake = normal(60, 1), normal(45, 2, shift=0.4)
    whole = (PrecisionRecall().measure(real, fake), DensityCoverage().measure(real, fake))
    monkeypatch.setattr(neighbours, "_ENTRIES", 200)
    assert (PrecisionRecall().measure(real, fake), DensityCoverage().measure(real, fake)) == whole


def test_jackknife_leaves_blocks_out_exactly():
    real, fake = normal(70, 1), normal(50, 2, shift=0.3)
    of_real, of_fake = deal_blocks(70, 32), deal_blocks(50, 32)
    for metric, function in ((PrecisionRecall(), precision_recall), (DensityCoverage(), density_coverage)):
        found = metric.measure(real, fake)
        for i, name in enumerate(metric.names):
            by_hand = block_jackknife(
                0.0, lambda b, i=i, f=function: f(real[of_real != b], fake[of_fake != b])[i], 32
            )
            assert found[name].standard_error == pytest.approx(by_hand.standard_error, rel=1e-9)


def test_a_set_against_itself():
    x = normal(80, 3)
    assert precision_recall(x, x) == (1.0, 1.0)
    # an open ball holds its centre and the k - 1 nearest
    assert density_coverage(x, x) == (1.0, 1.0)


def test_answers_to_what_each_is_for():
    real = normal(200, 4)
    far = (
        precision_recall(real, normal(200, 5, shift=20.0)),
        density_coverage(real, normal(200, 5, shift=20.0)),
    )
    assert far == ((0.0, 0.0), (0.0, 0.0))
    # one real clip over and over with little noise: precise, not diverse
    collapsed = real[:1] + 1e-3 * normal(200, 6)
    precision, recall = precision_recall(real, collapsed)
    density, coverage = density_coverage(real, collapsed)
    assert precision == 1.0
    assert recall < 0.05
    assert density > 0.8
    assert coverage < 0.1
    # shares fall as fakes move away
    steps = [
        (*precision_recall(real, normal(200, 7, shift=s)), *density_coverage(real, normal(200, 7, shift=s)))
        for s in (0.0, 1.0, 2.0, 4.0)
    ]
    for values in zip(*steps, strict=True):
        assert list(values) == sorted(values, reverse=True)
        assert values[0] > values[-1]


def test_outlier_makes_precision_but_not_density():
    # one real clip far off, whose ball reaches back to the others, and fakes around it alone
    outlier = torch.full((1, 4), 8.0, dtype=torch.float64)
    real, fake = torch.cat([normal(199, 8), outlier]), outlier + 0.5 * normal(100, 9)
    assert precision_recall(real, fake, k=5)[0] == 1.0
    density, coverage = density_coverage(real, fake, k=5)
    assert density == pytest.approx(1 / 5)
    assert coverage == pytest.approx(1 / 200)


def test_too_few_clips_for_the_neighbours():
    with pytest.raises(ValueError, match=r"5 clips have no 5 neighbours each.*k=4 or less"):
        density_coverage(normal(5, 1), normal(9, 2))
    with pytest.raises(ValueError, match="k=0"):
        PrecisionRecall(k=0)
    found = PrecisionRecall().measure(normal(4, 1), normal(4, 2))
    assert found["precision"].standard_error is None
    assert PrecisionRecall().stamp == "k3,<="
    assert DensityCoverage().stamp == "k5,<"
    assert DensityCoverage().warnings(normal(9, 1), normal(8, 2))
