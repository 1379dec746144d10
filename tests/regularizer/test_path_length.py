import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from vgen import rng
from vgen.clip import Judgement, Regularizer
from vgen.layer.clip_noise import clip_noise
from vgen.regularizer.path_length import PathLength


class Toy(nn.Module):
    """content (B, 5) and motion (B, 3, 2) -> clips, linear or through tanh."""

    reads_times = False

    def __init__(self, weight, bend=False):
        super().__init__()
        self.weight, self.bend = weight, bend

    def forward(self, latent, times, label):
        z = torch.cat([latent["content"], latent["motion"].flatten(1)], 1)
        video = (z @ self.weight).view(-1, 2, 3, 4, 4)
        return torch.tanh(video) if self.bend else video


@pytest.fixture
def step(make_step):
    def make(weight, bend=False, batch=4):
        base = make_step(lambda clip: Judgement({"video": clip.video.sum((1, 2, 3, 4))}), batch=batch)
        draw = torch.Generator().manual_seed(3)
        latent = {
            "content": torch.randn(batch, 5, generator=draw).double(),
            "motion": torch.randn(batch, 3, 2, generator=draw).double(),
            "phase": torch.zeros(batch).double(),  # one number per clip, and of no effect
            "seed": torch.arange(batch),
        }
        return replace(base, generator=Toy(weight, bend), latent=latent)

    return make


def weight():
    return torch.randn(11, 96, generator=torch.Generator().manual_seed(1)).double()


def stream():
    return rng.use_stream(rng.BatchStream(rng.generator(0)))


def directions(batch=4):
    with stream():
        return clip_noise(torch.zeros(batch, 96, dtype=torch.float64)) / math.sqrt(3 * 4 * 4)


def test_linear_generator(step):
    term = PathLength(weight=3.0, interval=2, decay=0.25)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (3.0, 2, "generator")
    with stream():
        value = term(step(weight()))
    length = (directions() @ weight().T).norm(dim=1)
    torch.testing.assert_close(term.average.double(), 0.25 * length.mean(), rtol=1e-6, atol=0)
    torch.testing.assert_close(value, (length - 0.25 * length.mean()).square().mean(), rtol=1e-6, atol=0)


def test_parts_choose_what_is_differentiated(step):
    with stream():
        value = PathLength(decay=1.0, parts=["content"])(step(weight()))
    length = (directions() @ weight()[:5].T).norm(dim=1)
    torch.testing.assert_close(value, length.var(correction=0), rtol=1e-5, atol=0)


def test_an_isometry_has_no_penalty_once_its_length_is_known(step):
    isometry = torch.linalg.qr(torch.randn(96, 96, generator=torch.Generator().manual_seed(0)).double())[0]
    rotated = replace(step(weight()), generator=Toy(2 * isometry), latent={})
    rotated = replace(
        rotated,
        latent={"content": torch.randn(4, 96).double(), "motion": torch.zeros(4, 3, 0).double()},
    )
    with stream():
        value = PathLength(decay=1.0)(rotated)
    length = 2 * directions().norm(dim=1)  # every direction is stretched alike; only y's own length varies
    torch.testing.assert_close(value, length.var(correction=0), rtol=1e-4, atol=1e-9)


def test_gradient_for_the_generators_weights(step):
    weights = (weight() / 10).requires_grad_()

    def term(weights):
        with stream():  # an average that stays at 0, since no gradient passes through it
            return PathLength(decay=1e-12)(step(weights, bend=True, batch=2))

    assert torch.autograd.gradcheck(term, (weights,))


def test_evaluation_leaves_the_average(step):
    term = PathLength().eval()
    term(step(weight()))
    assert term.average == 0


def test_average_is_in_the_state():
    assert list(PathLength().state_dict()) == ["average"]


def test_parts_that_the_generator_does_not_have_are_refused(step):
    with pytest.raises(
        ValueError, match=r"names 'style', but the generator's latent has content, motion, phase"
    ):
        PathLength(parts=["style"])(step(weight()))
