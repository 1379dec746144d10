from dataclasses import replace

import pytest
import torch
from torch import nn

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.mode_seeking import ModeSeeking


class Linear(nn.Module):
    def __init__(self, reads_times=False):
        super().__init__()
        self.reads_times = reads_times
        self.weight = nn.Parameter(torch.randn(5, 96, generator=torch.Generator().manual_seed(1)).double())
        self.calls = 0

    def forward(self, latent, times, label):
        self.calls += 1
        shift = 0 if label is None else label.double()[:, None]
        return (latent["z"] @ self.weight + shift).view(-1, 2, 3, 4, 4)


@pytest.fixture
def step(make_step):
    def make(generator, label=None, batch=4):
        base = make_step(
            lambda clip: Judgement({"video": clip.video.sum((1, 2, 3, 4))}), label=label, batch=batch
        )
        z = torch.randn(batch, 5, generator=torch.Generator().manual_seed(3)).double()
        latent = {"z": z, "seed": torch.arange(batch)}
        fake = base.fake.with_video(generator(latent, None, label))
        return replace(base, generator=generator, latent=latent, fake=fake)

    return make


def expected(step, generator):
    change = step.latent["z"] - step.latent["z"].roll(1, 0)
    ratio = (change @ generator.weight).abs().mean(1) / change.abs().mean(1)
    return (1 / (ratio + 1e-5)).mean()


def test_pairs_of_the_batch(step):
    term, generator = ModeSeeking(weight=2.0), Linear()
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (2.0, 1, "generator")
    made = step(generator)
    torch.testing.assert_close(term(made), expected(made, generator))
    assert generator.calls == 1  # the clips were there already


@pytest.mark.parametrize(("label", "reads_times"), [(torch.arange(4), False), (None, True)])
def test_the_other_latent_is_made_with_the_same_label_and_times(step, label, reads_times):
    generator = Linear(reads_times)
    made = step(generator, label)
    torch.testing.assert_close(ModeSeeking()(made), expected(made, generator))
    assert generator.calls == 2


def test_a_batch_of_one_is_refused_in_training(step):
    generator = Linear()
    with pytest.raises(ValueError, match="mode_seeking compares clips of a batch"):
        ModeSeeking()(step(generator, batch=1))
    assert ModeSeeking()(step(generator.eval(), batch=1)).isfinite()


def test_all_numbers_of_a_latent_count(step):
    generator = Linear()
    made = step(generator)
    phase = torch.arange(4.0).double()
    value = ModeSeeking()(replace(made, latent=made.latent | {"phase": phase}))
    apart = (made.fake.video - made.fake.video.roll(1, 0)).abs().mean((1, 2, 3, 4))
    numbers = torch.cat([made.latent["z"], phase[:, None]], 1)
    ratio = apart / (numbers - numbers.roll(1, 0)).abs().mean(1)
    torch.testing.assert_close(value, (1 / (ratio + 1e-5)).mean())
