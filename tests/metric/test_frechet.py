import math

import pytest
import torch
from torch import Tensor

from vgen.metric.frechet import FrechetDistance, frechet_distance
from vgen.metric.frechet_error import frechet_jackknife
from vgen.metric.gaussian import frechet_from_moments, moments


def normal(clips: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(clips, dim, generator=rng, dtype=torch.float64) * scale + shift


def test_closed_form_of_diagonal_gaussians():
    mean_r, mean_f = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.0, 1.0, 0.5]).double()
    std_r, std_f = torch.tensor([1.0, 2.0, 0.0]).double(), torch.tensor([3.0, 0.5, 0.25]).double()
    value = frechet_from_moments(mean_r, std_r.square().diag(), mean_f, std_f.square().diag())
    expected = (mean_r - mean_f).square().sum() + (std_r - std_f).square().sum()
    assert value == pytest.approx(expected.item(), rel=1e-12)


def test_scaling_a_set_about_its_mean():
    # Tr(S + a^2 S - 2 a S) = (1 - a)^2 Tr S, whatever the rank
    for clips in (200, 12):
        x = normal(clips, 30, 1)
        mean, cov = moments(x)
        y = mean + 1.5 * (x - mean)
        assert frechet_distance(x, y) == pytest.approx(0.25 * cov.trace().item(), rel=1e-10)


def test_fewer_clips_than_features_agrees_with_the_nuclear_norm():
    x, y = normal(20, 50, 1), normal(15, 50, 2, scale=2.0, shift=0.3)
    a, b = ((s - s.mean(0)) / math.sqrt(len(s) - 1) for s in (x, y))
    cross = torch.linalg.matrix_norm(a @ b.T, ord="nuc")
    expected = (x.mean(0) - y.mean(0)).square().sum() + a.square().sum() + b.square().sum() - 2 * cross
    assert frechet_distance(x, y) == pytest.approx(expected.item(), rel=1e-10)


@pytest.mark.parametrize("clips", [500, 20])
def test_a_set_is_at_no_distance_from_itself(clips):
    x = normal(clips, 64, 3, scale=100.0, shift=1e3)
    assert frechet_distance(x, x) <= 1e-9 * moments(x)[1].trace().item()


def test_symmetry_and_order():
    x, y = normal(100, 20, 4), normal(80, 20, 5, scale=1.3)
    value = frechet_distance(x, y)
    assert frechet_distance(y, x) == pytest.approx(value, rel=1e-10)
    assert frechet_distance(x.flip(0), y[torch.randperm(80)]) == pytest.approx(value, rel=1e-10)


@pytest.mark.filterwarnings("ignore:.*before the ``update`` method:UserWarning")
def test_metric_does_not_depend_on_how_clips_are_batched():
    x, y = normal(90, 20, 6).float(), normal(70, 20, 7).float()
    metric = FrechetDistance(divisor="N")
    for part in x.split(13):
        metric.update(part, real=True)
    for part in y.split(32):
        metric.update(part, real=False)
    assert metric.compute().item() == pytest.approx(frechet_distance(x, y, divisor="N"), rel=1e-12)
    metric.reset()
    with pytest.raises(ValueError, match="0 real clips"):
        metric.compute()


def test_metric_drops_padded_duplicates_and_restores_order():
    x, y = normal(40, 8, 8).float(), normal(40, 8, 9).float()
    shuffled = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([shuffled, shuffled[:3]])
    metric = FrechetDistance()
    metric.update(x[padded], real=True, index=padded)
    metric.update(y, real=False, index=torch.arange(40))
    assert metric.estimates() == {"fvd": frechet_jackknife(x, y)}
    metric.update(y, real=False)
    with pytest.raises(ValueError, match="some without"):
        metric.compute()


def test_jackknife_standard_error_and_bias_correction():
    # the same law on both sides: the truth is 0, the plain value is all bias
    estimates = [
        frechet_jackknife(normal(300, 20, 2 * s), normal(300, 20, 2 * s + 1), blocks=32) for s in range(20)
    ]
    values = torch.tensor([e.value for e in estimates])
    corrected = torch.tensor([e.bias_corrected for e in estimates])
    errors = torch.tensor([e.standard_error for e in estimates])
    assert corrected.mean().abs() < 0.1 * values.mean()
    assert 0.6 < errors.mean() / values.std() < 1.7


def test_jackknife_leaves_blocks_out_exactly():
    x, y = normal(24, 4, 1), normal(10, 4, 2, scale=2.0)
    from vgen.metric.jackknife import block_jackknife, deal_blocks

    bx, by = deal_blocks(24, 5), deal_blocks(10, 5)
    by_hand = block_jackknife(
        frechet_distance(x, y), lambda b: frechet_distance(x[bx != b], y[by != b]), blocks=5
    )
    fast = frechet_jackknife(x, y, blocks=5)
    assert fast.standard_error == pytest.approx(by_hand.standard_error, rel=1e-8)
    assert fast.bias_corrected == pytest.approx(by_hand.bias_corrected, rel=1e-8)


def test_jackknife_promises_no_more_than_it_can():
    assert frechet_jackknife(normal(2, 4, 1), normal(9, 4, 2)).standard_error is None
    scarce = frechet_jackknife(normal(10, 20, 1), normal(10, 20, 2))
    assert scarce.standard_error is not None
    assert scarce.bias_corrected is None


def test_grows_with_noise():
    x = normal(300, 10, 1)
    noise = normal(300, 10, 2)
    values = [frechet_distance(x, x + amount * noise) for amount in (0.0, 0.1, 0.3, 1.0, 3.0)]
    assert values == sorted(values)
    assert values[0] < 1e-9
    assert values[1] > 1e-6


def test_frames_are_vectors_of_their_own():
    x, y = normal(40, 3 * 5, 1).reshape(40, 3, 5), normal(30, 3 * 5, 2, 1.5).reshape(30, 3, 5)
    flat = frechet_distance(x.reshape(-1, 5), y.reshape(-1, 5))
    assert frechet_distance(x, y) == pytest.approx(flat, rel=1e-12)
    metric = FrechetDistance(reads="frames")
    assert metric.names == ("fid",)
    assert metric.measure(x, y)["fid"].value == pytest.approx(flat, rel=1e-12)
    with pytest.raises(ValueError, match="clips, frames, features"):
        metric.measure(x[:, 0], y[:, 0])


def test_frames_of_one_clip_do_not_add_certainty():
    # every clip still: T equal frames are one sample, and the error must not shrink
    x, y = normal(120, 6, 1), normal(120, 6, 2, 1.3)
    one = frechet_jackknife(x, y, divisor="N")
    still_x, still_y = (side[:, None].repeat(1, 8, 1) for side in (x, y))
    for exact_up_to in (512, 0):
        many = frechet_jackknife(still_x, still_y, divisor="N", exact_up_to=exact_up_to)
        assert many.value == pytest.approx(one.value, rel=1e-10)
        assert many.standard_error == pytest.approx(one.standard_error, rel=0.2)
    exact = frechet_jackknife(still_x, still_y, divisor="N")
    assert exact.standard_error == pytest.approx(one.standard_error, rel=1e-8)


def test_identical_clips_are_named():
    x = normal(30, 4, 1)
    assert frechet_distance(x, x[:1].expand(20, 4)) == pytest.approx(
        ((x.mean(0) - x[0]).square().sum() + x.var(0).sum()).item(), rel=1e-10
    )
    (said,) = FrechetDistance().warnings(x, x[:1].expand(20, 4))
    assert "all 20 fake clips have the same features" in said


def test_errors_are_one_clear_line():
    x = normal(5, 3, 1)
    broken = x.clone()
    broken[2, 1] = math.nan
    broken[3, 0] = math.inf
    for real, fake, said in [
        (x[:1], x, "1 real clips"),
        (x, broken, "2 of 5 fake clips have NaN"),
        (x, x[:, :2], "real clips have 3 features, fake clips 2"),
        (x[0], x, "shape"),
    ]:
        with pytest.raises(ValueError, match=said) as error:
            frechet_distance(real, fake)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="divisor"):
        FrechetDistance(divisor="N-2")  # pyright: ignore[reportArgumentType]
    assert FrechetDistance().warnings(normal(10, 64, 1), normal(20, 64, 2))
    assert not FrechetDistance().warnings(normal(65, 64, 1), normal(80, 64, 2))
