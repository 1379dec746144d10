import pytest
import torch
from torch import Tensor

from vgen.metric.frechet import frechet_distance
from vgen.metric.frechet_infinity import FrechetInfinity, frechet_infinity


def law(clips: int, dim: int, seed: int, scale: float = 1.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(clips, dim, generator=rng, dtype=torch.float64) * scale


def test_removes_the_bias_and_knows_its_error():
    dim, scale = 20, 1.2
    truth = dim * (scale - 1) ** 2
    found = [
        FrechetInfinity().measure(law(400, dim, 2 * s), law(400, dim, 2 * s + 1, scale))["fvd_inf"]
        for s in range(16)
    ]
    values = torch.tensor([e.value for e in found])
    plain = frechet_distance(law(400, dim, 0), law(400, dim, 1, scale))
    assert plain > 1.5 * truth
    assert abs(values.mean() - truth) < 3 * values.std() / 4
    errors = torch.tensor([e.standard_error for e in found])
    assert 0.6 < errors.mean() / values.std() < 1.7


def test_line_through_the_distances():
    real, fake = law(90, 6, 1), law(80, 6, 2, 1.5)
    line = frechet_infinity(real, fake, points=5)
    # 2.5 x 6 is below half of 80
    assert line.sizes == [15, 31, 47, 63, 80]
    for size, distance, (of_real, of_fake) in zip(line.sizes, line.distances, line.subsets, strict=True):
        assert len(set(of_real.tolist())) == len(set(of_fake.tolist())) == size
        assert distance == pytest.approx(frechet_distance(real[of_real], fake[of_fake]), rel=1e-10)
    design = torch.stack([torch.ones(5).double(), 1 / torch.tensor(line.sizes).double()], dim=1)
    intercept = torch.linalg.lstsq(
        design, torch.tensor(line.distances, dtype=torch.float64)[:, None]
    ).solution[0]
    assert line.value == pytest.approx(intercept.item(), rel=1e-9)
    assert line.weights.sum().item() == pytest.approx(1.0)


def test_seeded():
    real, fake = law(90, 6, 1), law(80, 6, 2, 1.5)
    assert frechet_infinity(real, fake).value == frechet_infinity(real, fake).value
    assert frechet_infinity(real, fake).value != frechet_infinity(real, fake, seed=1).value


def test_refuses_what_cannot_be_extrapolated():
    with pytest.raises(ValueError, match=r"24 clips for 10 features.*2\.5 x 10 = 25"):
        frechet_infinity(law(24, 10, 1), law(90, 10, 2))
    with pytest.raises(ValueError, match="smallest=60 of 60"):
        frechet_infinity(law(60, 10, 1), law(90, 10, 2), smallest=60)
    with pytest.raises(ValueError, match="at least 3"):
        FrechetInfinity(points=2)
    with pytest.raises(ValueError, match="reference"):
        FrechetInfinity(reference="none")  # pyright: ignore[reportArgumentType]
    assert FrechetInfinity(smallest=50).stamp == "N-1,subsampled,15points,from50,seed0"
