"""Codes are found again, on a schedule that is StyleGAN2's, by steps that a state on the disk continues bit for bit."""

import math

import pytest
import torch
from styled import styled

from vgen import rng
from vgen.clip import from_pixels, regular_times
from vgen.training.generated_clips import GeneratedClips
from vgen.training.projection import Projection, Search, psnr, pyramid_distance

TIMES = regular_times(1, 4)[0]


def own_video(generator, index: int = 3, labels=None):
    return GeneratedClips(generator, count=index + 1, times=TIMES, labels=labels, seed=11).read([index])[0]


def search(generator, video, steps: int = 60, **changes) -> Projection:
    how = Search(**{"steps": steps, "starts": 4, "mean_samples": 64} | changes)
    return Projection(generator, video, TIMES, search=how, seed=5)


def run(found: Projection, until: int | None = None) -> Projection:
    while found.step < (found.search.steps if until is None else until):
        found.advance()
    return found


@pytest.mark.parametrize(
    ("form", "space", "steps", "gain", "least"),
    [
        ("styleganv", "w", 40, 8, 0),
        ("mocogan", "z", 40, 5, 0),
        pytest.param("styleganv", "w", 600, 20, 36, marks=pytest.mark.slow),
        pytest.param("styleganv", "w+", 600, 18, 30, marks=pytest.mark.slow),
        pytest.param("mocogan_sg2", "w+", 600, 13, 24, marks=pytest.mark.slow),
        pytest.param("digan", "w+", 600, 14, 22, marks=pytest.mark.slow),
    ],
)
def test_a_video_that_the_generator_made_is_found_again(
    form: str, space: str, steps: int, gain: float, least: float
):
    generator = styled(form)
    video = own_video(generator)
    found = search(generator, video, steps, space=space)
    begun = float(psnr(found.clip(), video).mean())
    run(found)
    ended = psnr(found.clip(), video)
    assert ended.shape == (4,)
    assert ended.mean() > max(least, begun + gain), (begun, ended.mean())
    assert all(math.isfinite(loss) for loss in found.history)


def test_what_lies_beyond_the_range_of_bytes_does_not_count():
    generator = styled("styleganv")
    video = torch.full((4, 16, 16, 3), 255, dtype=torch.uint8)
    found = search(generator, video, 1, space="w")
    assert float(found._distance(torch.full((1, 3, 4, 16, 16), 3.0))) == 0
    assert float(found._distance(torch.full((1, 3, 4, 16, 16), -3.0))) == pytest.approx(16)


def test_one_style_stays_one_and_content_that_nothing_reads_stays():
    generator = styled("styleganv")
    found = run(search(generator, own_video(generator), 3, space="w"))
    w = found.latent()["w"]
    assert w.shape == (1, *generator.style_shape)
    assert torch.equal(w, w[:, :1].expand_as(w))
    assert set(found.moving) == {"w", "motion_noise"}
    assert "content" in found.latent()


def test_a_continued_search_equals_one_that_was_left_alone():
    generator = styled("styleganv")
    video = own_video(generator)
    whole = run(search(generator, video, 12, space="w+"))
    half = run(search(generator, video, 12, space="w+"), until=5)
    again = search(generator, video, 12, space="w+")
    again.load_state_dict(half.state_dict())
    run(again)
    assert again.history == whole.history
    for name, part in whole.latent().items():
        assert torch.equal(again.latent()[name], part), name


def test_the_state_of_another_search_changes_nothing():
    generator = styled("styleganv")
    video = own_video(generator)
    other = run(search(generator, video, 2, space="z"))
    found = search(generator, video, 2, space="w")
    with pytest.raises(ValueError, match="it searches for content, motion_noise and not for"):
        found.load_state_dict(other.state_dict())
    assert found.step == 0


def test_the_class_of_the_best_start_is_taken():
    generator = styled("mocogan", classes=3, label_to="both")
    video = own_video(generator, 2, labels=torch.tensor([0, 1, 2]))
    how = Search(steps=1, starts=9)
    assert Projection(generator, video, TIMES, search=how, label=1).label == 1
    found = Projection(generator, video, TIMES, search=how)

    @torch.no_grad()
    def apart(projection: Projection, number: int, label: int) -> float:
        latent = generator.sample_latent(1, TIMES[None], rng.generator(0, "start", number))
        return float(projection._distance(generator(latent, TIMES[None], torch.tensor([label]))))

    assert found.label == min(range(9), key=lambda number: apart(found, number, number % 3)) % 3


def test_codes_of_noise_do_not_grow_without_reason():
    generator = styled("mocogan")
    video = torch.randint(
        256, (4, 16, 16, 3), generator=rng.generator(0), dtype=torch.uint8
    )  # nothing it can make

    def length(prior: float) -> float:
        found = run(search(generator, video, 30, prior=prior, lr=0.5))
        return float(found.latent()["content"].detach().norm())

    assert length(1.0) < 0.8 * length(0.0)


def test_schedule():
    how = Search(steps=100, lr=0.2)
    rates = [how.rate(step) for step in range(100)]
    assert rates[0] == 0
    assert rates[5] == pytest.approx(0.2)
    assert all(rate == pytest.approx(0.2) for rate in rates[5:75])
    assert rates[80] == pytest.approx(0.2 * (0.5 - 0.5 * math.cos(math.pi * 0.8)))
    assert rates == [*rates[:75], *sorted(rates[75:], reverse=True)]
    assert how.noise_at(0) == pytest.approx(0.05)
    assert how.noise_at(50) == pytest.approx(0.05 * (1 - 50 / 75) ** 2)
    assert how.noise_at(80) == 0


def test_distances():
    one, two = torch.zeros(1, 3, 2, 16, 16), torch.zeros(1, 3, 2, 16, 16)
    two[..., ::2] = 1.0  # stripes, of which half the size sees the mean
    assert pyramid_distance(one, two) == pytest.approx((0.5 + 0.25) / 2)
    black, grey = torch.zeros(2, 4, 4, 1, dtype=torch.uint8), torch.full((2, 4, 4, 1), 51, dtype=torch.uint8)
    assert psnr(black, grey).tolist() == pytest.approx([20 * math.log10(255 / 51)] * 2)
    assert psnr(black, black).tolist() == pytest.approx([108.13] * 2, abs=0.01)


def test_perceptual_features_count_where_there_are_any():
    generator = styled("styleganv")
    video = own_video(generator)
    how = Search(steps=2, starts=1, mean_samples=64, space="w", pixels=0.0, perceptual=2.0, prior=0.0)
    found = Projection(generator, video, TIMES, search=how, features=lambda frames: frames.mean((2, 3)))
    made = torch.rand(1, 3, 4, 16, 16, generator=rng.generator(1)) - 0.5
    found.target = found.target.clamp(-0.99, 0.99)  # nothing that lies beyond
    means = made.mean((3, 4))[0].T - from_pixels(video[None]).mean((3, 4))[0].T  # (T, C)
    assert float(found._distance(made)) == pytest.approx(2 * float(means.square().sum(1).mean()), rel=1e-5)


def test_a_space_that_is_not_there():
    generator = styled("mocogan")
    with pytest.raises(ValueError, match="space=w: this generator has no styles"):
        search(generator, own_video(generator), space="w")
