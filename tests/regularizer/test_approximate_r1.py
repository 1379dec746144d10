from dataclasses import replace

import pytest
import torch

from vgen import rng
from vgen.clip import Judgement, Regularizer
from vgen.layer.clip_noise import clip_noise
from vgen.regularizer.approximate_r1 import ApproximateR1
from vgen.regularizer.r1 import R1


def stream():
    return rng.use_stream(rng.BatchStream(rng.generator(0)))


def linear(w):
    return lambda clip: Judgement({"video": clip.video.flatten(1) @ w})


def quadratic(clip):
    x = clip.video.flatten(1)
    return Judgement({"video": 0.5 * x.square().sum(1), "image": 0.1 * x.square().unflatten(1, (8, 12))})


def test_keeps_the_contract():
    term = ApproximateR1(weight=7.0, interval=2)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player, term.differentiates) == (
        7.0,
        2,
        "discriminator",
        frozenset(),
    )


def test_linear_discriminator_is_exact_for_any_sigma(make_step):
    w = torch.randn(96, dtype=torch.float64)
    step = make_step(linear(w))
    with stream():
        noise = clip_noise(step.real.video.detach())
    for sigma in (1e-3, 1.0):
        with stream():
            value = ApproximateR1(sigma=sigma)(step)
        torch.testing.assert_close(value, sigma**2 * (noise.flatten(1) @ w).square().mean())


def test_expectation_over_the_noise_is_twice_r1(make_step):
    w = torch.randn(96, dtype=torch.float64)
    step = make_step(linear(w), batch=3000)
    with stream():
        value = ApproximateR1(sigma=0.1)(step) / 0.1**2
    # (w n)^2 has mean |w|^2 and standard deviation sqrt(2) |w|^2
    assert value.item() == pytest.approx(2 * R1()(step).item(), rel=5 * (2 / 3000) ** 0.5)


def test_quadratic_discriminator_converges_to_the_exact_penalty(make_step):
    step = make_step(quadratic)
    with stream():
        noise = clip_noise(step.real.video.detach())
    scored = step.on_real.logits["video"].sum() + step.on_real.logits["image"].flatten(1).mean(1).sum()
    (gradient,) = torch.autograd.grad(scored, step.real.video)
    exact = (gradient * noise).sum((1, 2, 3, 4)).square().mean()
    errors = []
    for sigma in (1e-2, 1e-3, 1e-4):
        with stream():
            errors.append((ApproximateR1(sigma=sigma)(step) / sigma**2 - exact).abs() / exact)
    assert errors[2] < 1e-2
    assert errors[0] / errors[1] > 5
    assert errors[1] / errors[2] > 5  # first order in sigma


def test_on_generated_clips_it_is_r2(make_step):
    step = make_step(quadratic)
    swapped = replace(step, real=step.fake, on_real=step.on_fake)
    with stream():
        value = ApproximateR1(clips="fake")(step)
    with stream():
        torch.testing.assert_close(value, ApproximateR1()(swapped))


def test_gradient_for_the_discriminators_weights_needs_no_second_derivative(make_step):
    weights = (torch.randn(96, 4, dtype=torch.float64) / 10).requires_grad_()

    def term(weights):
        with stream():
            return ApproximateR1()(
                make_step(
                    lambda clip: Judgement({"video": torch.tanh(clip.video.flatten(1) @ weights).sum(1)})
                )
            )

    assert torch.autograd.gradcheck(term, (weights,))


def test_repeats_the_draws_of_the_first_judgement(make_step):
    """A discriminator that looks at random pixels must look at the same ones, or chance passes for slope."""
    w = torch.randn(96, dtype=torch.float64)

    def judge(clip):
        draws = rng.mark()
        chosen = rng.draw_rows(clip.batch, lambda rows, g: torch.rand(rows, 96, generator=g)).double()
        seen = clip.video.flatten(1) * chosen + torch.randn(96).double()
        return Judgement({"video": seen @ w}, draws=draws)

    with stream():
        step = make_step(judge)
        value = ApproximateR1(sigma=1e-3)(step) / 1e-6
    assert value < 10 * w.square().sum()  # else it is of the order of 1e6


@pytest.mark.parametrize(
    ("arguments", "message"), [({"sigma": 0.0}, "sigma=0"), ({"clips": "both"}, "real .* or fake")]
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ApproximateR1(**arguments)
