import pytest
import torch
from torch import Tensor

from vgen.metric.frechet import frechet_distance
from vgen.metric.frechet_error import clip_influences, frechet_jackknife
from vgen.metric.gaussian import frechet_from_moments, half, in_joint_span, moments, quick_half
from vgen.metric.jackknife import influence_error


def law(clips: int, dim: int, seed: int, fake: bool = False) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(clips, dim, generator=rng, dtype=torch.float64) * torch.arange(1, dim + 1) ** -0.4
    return 1.3 * x + 0.1 if fake else x


def test_influence_is_the_derivative_by_a_clips_weight():
    # a clip twice as heavy by eps, against the distance of the weighted moments
    real, fake = law(60, 5, 1), law(50, 5, 2, fake=True)
    gaussians = [(mean, half(cov)) for mean, cov in (moments(side, divisor="N") for side in (real, fake))]
    influences = clip_influences(real, fake, *gaussians)
    eps = 1e-5

    def weighted(side: Tensor, clip: int) -> tuple[Tensor, Tensor]:
        weights = torch.full((len(side),), 1 / len(side), dtype=torch.float64)
        weights[clip] += eps
        weights /= weights.sum()
        mean = weights @ side
        return mean, (side - mean).T @ (weights[:, None] * (side - mean))

    plain = [moments(side, divisor="N") for side in (real, fake)]
    value = frechet_from_moments(*plain[0], *plain[1])
    for clip in (0, 7, 33):
        of_real = (frechet_from_moments(*weighted(real, clip), *plain[1]) - value) / eps / len(real)
        of_fake = (frechet_from_moments(*plain[0], *weighted(fake, clip)) - value) / eps / len(fake)
        for found, influence in ((of_real, influences[0]), (of_fake, influences[1])):
            assert found == pytest.approx((influence - influence.mean())[clip].item(), rel=1e-3, abs=1e-7)


@pytest.mark.parametrize(("clips", "dim"), [(120, 20), (64, 40), (90, 60)])
def test_first_order_error_is_near_the_exact_jackknife(clips, dim):
    pairs = [(law(clips, dim, 2 * s), law(clips, dim, 2 * s + 1, fake=True)) for s in range(6)]
    exact = [frechet_jackknife(*pair) for pair in pairs]
    quick = [frechet_jackknife(*pair, exact_up_to=0) for pair in pairs]
    ratio = sum(e.standard_error for e in quick) / sum(e.standard_error for e in exact)
    assert 0.85 < ratio < 1.15
    for e, q in zip(exact, quick, strict=True):
        assert q.value == e.value
        if q.bias_corrected is not None:
            assert q.bias_corrected == pytest.approx(e.bias_corrected, abs=0.15 * e.value)


def test_bias_is_corrected_only_where_it_can_be():
    assert frechet_jackknife(law(120, 20, 1), law(120, 20, 2), exact_up_to=0).bias_corrected is not None
    # three quarters of the clips are fewer than the features
    estimate = frechet_jackknife(law(25, 20, 1), law(25, 20, 2), exact_up_to=0)
    assert estimate.bias_corrected is None
    assert estimate.standard_error is not None


def test_few_clips_of_many_features_are_measured_in_their_span():
    real, fake = law(12, 300, 1) + 5, law(9, 300, 2, fake=True) + 5
    x, y = in_joint_span(real, fake)
    assert x.shape == (12, 21)
    assert torch.cdist(x, y) == pytest.approx(torch.cdist(real, fake), rel=1e-10)
    direct = frechet_from_moments(*moments(real), *moments(fake))
    assert frechet_distance(real, fake) == pytest.approx(direct, rel=1e-10)
    assert frechet_jackknife(real, fake).value == pytest.approx(direct, rel=1e-10)


@pytest.mark.parametrize("rank", [6, 3])
def test_quick_half_of_full_and_deficient_covariances(rank):
    root = law(rank, 6, 3).T
    cov = root @ root.T
    for factor in (quick_half(cov), half(cov)):
        assert factor @ factor.T == pytest.approx(cov, abs=1e-12)
    assert half(cov).shape == (6, rank)


def test_error_of_identical_sets_is_zero():
    x = law(40, 5, 1)
    gaussian = (x.mean(0), half(moments(x)[1]))
    assert influence_error(*clip_influences(x, x, gaussian, gaussian)) < 1e-12
