from dataclasses import replace

import torch

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.r1 import R1
from vgen.regularizer.r2 import R2


def at_fakes(step):
    """The same step with generated clips whose pixels require grad, as the trainer hands them over."""
    fake = step.fake.with_video(step.fake.video.detach().requires_grad_())
    return replace(step, fake=fake, on_fake=step.judge(fake))


def test_linear_discriminator(make_step):
    w = torch.randn(96, dtype=torch.float64)
    term = R2(weight=7.0, interval=2)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (7.0, 2, "discriminator")
    assert term.differentiates == {"fake"}
    step = at_fakes(make_step(lambda clip: Judgement({"video": clip.video.flatten(1) @ w})))
    torch.testing.assert_close(term(step), 0.5 * w.square().sum())


def test_quadratic_discriminator_is_penalised_where_generated_clips_are(make_step):
    step = at_fakes(make_step(lambda clip: Judgement({"video": 0.5 * clip.video.flatten(1).square().sum(1)})))
    # the gradient of |x|^2 / 2 is x
    torch.testing.assert_close(R2()(step), 0.5 * step.fake.video.square().sum((1, 2, 3, 4)).mean())
    torch.testing.assert_close(R1()(step), 0.5 * step.real.video.square().sum((1, 2, 3, 4)).mean())


def test_gradient_for_the_discriminators_weights(make_step):
    torch.manual_seed(0)
    weights = (torch.randn(96, 4, dtype=torch.float64) / 10).requires_grad_()

    def term(weights):
        return R2()(
            at_fakes(
                make_step(
                    lambda clip: Judgement({"video": torch.tanh(clip.video.flatten(1) @ weights).sum(1)})
                )
            )
        )

    assert torch.autograd.gradcheck(term, (weights,))
