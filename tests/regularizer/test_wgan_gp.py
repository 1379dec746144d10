from dataclasses import replace

import pytest
import torch
from torch import nn

from vgen import rng
from vgen.clip import Judgement, Regularizer, regular_times
from vgen.regularizer.wgan_gp import WGANGP


def test_linear_discriminator(make_step):
    w = torch.randn(96, dtype=torch.float64)
    term = WGANGP(weight=3.0)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (3.0, 1, "discriminator")
    value = term(make_step(lambda clip: Judgement({"video": clip.video.flatten(1) @ w})))
    torch.testing.assert_close(value, (w.norm() - 1).square())
    small = w / w.norm() / 2  # the penalty is two-sided
    value = term(make_step(lambda clip: Judgement({"video": clip.video.flatten(1) @ small})))
    torch.testing.assert_close(value, torch.tensor(0.25, dtype=torch.float64))


def test_gradient_for_the_discriminators_weights(make_step):
    torch.manual_seed(0)
    weights = (torch.randn(96, 4, dtype=torch.float64) / 10).requires_grad_()

    def term(weights):
        with rng.use_stream(rng.BatchStream(rng.generator(0))):
            return WGANGP()(
                make_step(
                    lambda clip: Judgement({"video": torch.tanh(clip.video.flatten(1) @ weights).sum(1)})
                )
            )

    assert torch.autograd.gradcheck(term, (weights,))


def test_mixes_lie_between_one_real_and_one_generated_clip(make_step):
    seen = []

    def judge(clip):
        seen.append(clip)
        return Judgement({"video": clip.video.sum((1, 2, 3, 4))})

    step = make_step(judge, batch=4, label=torch.arange(4))
    step = replace(step, fake=replace(step.fake, times=regular_times(4, 3, stride=5)))
    WGANGP()(step)
    mixed = seen[-1]
    u = (mixed.video - step.real.video) / (step.fake.video - step.real.video)
    per_clip = u[:, 0, 0, 0, 0]
    torch.testing.assert_close(u, per_clip.view(-1, 1, 1, 1, 1).expand_as(u))
    assert ((per_clip > 0) & (per_clip < 1)).all()
    assert len(set(per_clip.tolist())) == 4
    expected = (1 + 4 * per_clip[:, None].float()) * step.real.times
    torch.testing.assert_close(mixed.times, expected)
    assert torch.equal(mixed.label, step.real.label)


def test_float32_also_under_autocast(make_step):
    layer = nn.Linear(96, 1)
    dtypes = []

    def judge(clip):
        out = (
            layer(clip.video.float().flatten(1))
            if clip.video.dtype == torch.float64
            else layer(clip.video.flatten(1))
        )
        dtypes.append((clip.video.dtype, out.dtype))
        return Judgement({"video": out[:, 0]})

    step = make_step(judge)
    half = [replace(clip, video=clip.video.detach().bfloat16()) for clip in (step.real, step.fake)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = WGANGP()(replace(step, real=half[0], fake=half[1]))
    assert dtypes[-1] == (torch.float32, torch.float32)
    torch.testing.assert_close(value, (layer.weight.norm() - 1).square())


def test_clips_of_different_length_are_refused(make_step):
    step = make_step(lambda clip: Judgement({"video": clip.video.sum((1, 2, 3, 4))}))
    short = replace(step.fake, video=step.fake.video[:, :, :2], times=step.fake.times[:, :2])
    with pytest.raises(ValueError, match="wgan_gp mixes"):
        WGANGP()(replace(step, fake=short))


@pytest.mark.parametrize(("length", "expected"), [(3.0, 4.0), (0.5, 0.0)])
def test_one_sided_allows_small_gradients(make_step, length, expected):
    w = torch.randn(96, dtype=torch.float64)
    w = w / w.norm() * length
    value = WGANGP(one_sided=True)(make_step(lambda clip: Judgement({"video": clip.video.flatten(1) @ w})))
    torch.testing.assert_close(value, torch.tensor(expected, dtype=torch.float64))


def test_small_frames_are_mixed_as_large_ones(make_step):
    seen = []

    def judge(clip):
        seen.append(clip)
        return Judgement({"video": clip.video.mean((1, 2, 3, 4))})

    step = make_step(judge)
    sides = {
        side: replace(getattr(step, side), low=getattr(step, side).video[..., :2, :2])
        for side in ("real", "fake")
    }
    WGANGP()(replace(step, **sides))
    torch.testing.assert_close(seen[-1].low, seen[-1].video[..., :2, :2])
    assert not seen[-1].low.requires_grad
