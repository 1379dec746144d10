from dataclasses import replace

import pytest
import torch
from torch import nn

from vgen import rng
from vgen.clip import Judgement, Regularizer
from vgen.layer.clip_noise import clip_noise
from vgen.regularizer.latent_consistency import LatentConsistency


class Linear(nn.Module):
    """z (B, 5) and integer seeds, which do not matter -> clips."""

    reads_times = False

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 96, generator=torch.Generator().manual_seed(1)).double())

    def forward(self, latent, times, label):
        assert latent["seed"].dtype == torch.int64
        return (latent["z"] @ self.weight).view(-1, 2, 3, 4, 4)


@pytest.fixture
def step(make_step):
    w = torch.randn(96, generator=torch.Generator().manual_seed(2)).double()
    step = make_step(lambda clip: Judgement({"video": clip.video.flatten(1) @ w}))
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(3)).double()
    generator, latent = Linear(), {"z": z, "seed": torch.arange(3)}
    fake = step.fake.with_video(generator(latent, None, None))
    return replace(step, generator=generator, latent=latent, fake=fake, on_fake=step.judge(fake)), w


def nudge(sigma):
    with stream():
        return sigma * clip_noise(torch.zeros(3, 5, dtype=torch.float64))


def stream():
    return rng.use_stream(rng.BatchStream(rng.generator(0)))


def test_discriminator_is_told_what_a_nudge_changes(step):
    step, w = step
    term = LatentConsistency(player="discriminator", weight=5.0, sigma=0.1)
    assert isinstance(term, Regularizer)
    with stream():
        value = term(step)
    change = nudge(0.1) @ step.generator.weight @ w
    torch.testing.assert_close(value, change.square().mean())


def test_generator_is_rewarded_for_changes(step):
    step, _ = step
    with stream():
        value = LatentConsistency(player="generator", sigma=0.1)(step)
    change = nudge(0.1) @ step.generator.weight
    torch.testing.assert_close(value, -change.square().mean())
    value.backward()
    expected = torch.autograd.grad(-change.square().mean(), step.generator.weight)[0]
    torch.testing.assert_close(step.generator.weight.grad, expected)


def test_discriminators_term_trains_no_generator(step):
    step, _ = step
    fake = step.fake.detach()
    detached = replace(step, fake=fake, on_fake=step.judge(fake))
    assert not LatentConsistency(player="discriminator")(detached).requires_grad


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="player"):
        LatentConsistency(player="both")
    with pytest.raises(ValueError, match="sigma=0"):
        LatentConsistency(player="generator", sigma=0.0)
