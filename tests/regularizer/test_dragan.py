import pytest
import torch
from torch import nn

from vgen import rng
from vgen.clip import Clip, Judgement, Regularizer, regular_times
from vgen.regularizer.dragan import DRAGAN


@pytest.mark.parametrize("noise", ["normal", "uniform"])
def test_linear_discriminator(make_step, noise):
    w = torch.randn(96, dtype=torch.float64)
    term = DRAGAN(weight=3.0, noise=noise)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (3.0, 1, "discriminator")
    value = term(make_step(lambda clip: Judgement({"video": clip.video.flatten(1) @ w})))
    torch.testing.assert_close(value, (w.norm() - 1).square())


def look(make_step, term, batch=400):
    seen = []

    def judge(clip):
        seen.append(clip.video.detach())
        return Judgement({"video": clip.video.flatten(1).sum(1)})

    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        term(step := make_step(judge, batch=batch))
    return seen[-1] - step.real.video.detach(), step.real.video.detach()


def test_normal_noise_has_its_sigma(make_step):
    noise, _ = look(make_step, DRAGAN(noise="normal", sigma=0.3))
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.std().item() == pytest.approx(0.3, rel=0.02)


def test_uniform_noise_goes_up_to_sigma_times_the_spread_of_the_data(make_step):
    noise, real = look(make_step, DRAGAN(noise="uniform", sigma=0.5))
    most = 0.5 * real.std(correction=0)
    assert noise.min() >= 0
    assert 0.9 * most < noise.max() <= most
    per_clip = noise.flatten(1).amax(1) / most  # about u ~ U(0, 1), one per clip
    assert per_clip.mean().item() == pytest.approx(0.5, abs=0.06)
    assert noise.mean().item() == pytest.approx(most.item() / 4, rel=0.1)


def test_gradient_for_the_discriminators_weights(make_step):
    torch.manual_seed(0)
    weights = (torch.randn(96, 4, dtype=torch.float64) / 10).requires_grad_()

    def term(weights):
        with rng.use_stream(rng.BatchStream(rng.generator(0))):
            return DRAGAN()(
                make_step(
                    lambda clip: Judgement({"video": torch.tanh(clip.video.flatten(1) @ weights).sum(1)})
                )
            )

    assert torch.autograd.gradcheck(term, (weights,))


def test_float32_also_under_autocast(make_step):
    layer = nn.Linear(96, 1)
    dtypes = []

    def judge(clip):
        out = layer(clip.video.float().flatten(1))
        dtypes.append((clip.video.dtype, out.dtype))
        return Judgement({"video": out[:, 0]})

    step = make_step(judge)
    half = Clip(step.real.video.detach().bfloat16(), regular_times(3, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = DRAGAN()(type(step)(**{**vars(step), "real": half}))
    assert dtypes[-1] == (torch.float32, torch.float32)
    torch.testing.assert_close(value, (layer.weight.norm() - 1).square())


def test_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="normal or uniform"):
        DRAGAN(noise="salt")
