import pytest
import torch

from vgen.metric.vendi import Vendi, vendi_score


def normal(clips: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(clips, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_counts_kinds_of_clips():
    kinds = torch.eye(6).double()
    assert vendi_score(kinds.repeat(5, 1)[:, :6] * 3) == pytest.approx(6.0, rel=1e-12)
    assert vendi_score(kinds[:1].repeat(9, 1)) == pytest.approx(1.0, rel=1e-12)
    # shares 1/2, 1/4, 1/4: exp(1.5 log 2)
    assert vendi_score(kinds[torch.tensor([0, 0, 1, 2])]) == pytest.approx(2**1.5, rel=1e-12)


@pytest.mark.parametrize(("clips", "dim"), [(30, 8), (8, 30)])
def test_definition_on_either_side_of_square(clips, dim):
    x = normal(clips, dim)
    y = x / x.norm(dim=1, keepdim=True)
    values = torch.linalg.eigvalsh(y @ y.T / clips).clamp_min(1e-300)
    assert vendi_score(x) == pytest.approx((-(values * values.log()).sum()).exp().item(), rel=1e-9)
    # lengths say nothing
    assert vendi_score(x * torch.arange(1, clips + 1)[:, None]) == pytest.approx(vendi_score(x), rel=1e-12)


@pytest.mark.parametrize(("clips", "dim"), [(120, 8), (60, 90)])
def test_standard_error_against_leaving_one_out(clips, dim):
    x = normal(clips, dim) * torch.arange(1, dim + 1) ** -1.0
    every = torch.arange(clips)
    left_out = torch.tensor([vendi_score(x[every != i]) for i in range(clips)])
    expected = ((clips - 1) * left_out.var(correction=0)).sqrt().item()
    found = Vendi().measure(x, x)["vendi"]
    assert found.standard_error == pytest.approx(expected, rel=0.15)
    assert found.real == found.value


def test_clips_without_direction_are_refused():
    x = normal(5, 3)
    x[2] = 0
    with pytest.raises(ValueError, match="1 of 5 clips have features 0 everywhere"):
        vendi_score(x)
    assert Vendi().warnings(normal(5, 3), normal(4, 3))
