from dataclasses import replace

import pytest
import torch

from vgen import rng
from vgen.clip import Judgement, Regularizer
from vgen.layer.shift_flip import shift_and_flip
from vgen.regularizer.consistency import Consistency


def linear(w):
    return lambda clip: Judgement(
        {"video": clip.video.flatten(1) @ w, "image": 2 * clip.video.flatten(1) @ w}
    )


@pytest.mark.parametrize("clips", ["real", "fake"])
def test_is_the_squared_change_of_all_heads(make_step, clips):
    w = torch.randn(96, dtype=torch.float64)
    step = make_step(linear(w))
    term = Consistency(clips=clips, weight=5.0, shift=0.25)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (5.0, 1, "discriminator")
    video = (step.real if clips == "real" else step.fake).video.detach()
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        changed = shift_and_flip(video, shift=0.25, flip=True)
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        value = term(step)
    change = (video - changed).flatten(1) @ w
    torch.testing.assert_close(value, (1 + 4) * change.square().mean())


def test_a_discriminator_that_sees_only_means_is_consistent(make_step):
    step = make_step(lambda clip: Judgement({"video": clip.video.mean((1, 2, 3, 4))}))
    assert Consistency(shift=0, flip=True)(step).item() == pytest.approx(0, abs=1e-20)


def test_repeats_the_draws_of_the_first_judgement(make_step):
    def judge(clip):
        draws = rng.mark()
        noise = rng.draw_rows(clip.batch, lambda rows, g: torch.rand(rows, generator=g)).double()
        return Judgement({"video": clip.video.mean((1, 2, 3, 4)) + noise}, draws=draws)

    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        step = make_step(judge)
        assert Consistency(shift=0)(step).item() == pytest.approx(0, abs=1e-20)
        assert Consistency(shift=0)(replace(step, on_real=replace(step.on_real, draws=None))).item() > 1e-4


def test_gradient_reaches_both_judgements(make_step):
    weights = (torch.randn(96, 2, dtype=torch.float64) / 10).requires_grad_()

    def term(weights):
        with rng.use_stream(rng.BatchStream(rng.generator(0))):
            return Consistency()(
                make_step(lambda clip: Judgement({"video": torch.tanh(clip.video.flatten(1) @ weights)}))
            )

    assert torch.autograd.gradcheck(term, (weights,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clips": "both"}, "real or fake"),
        ({"shift": 0.0, "flip": False}, "changes nothing"),
        ({"shift": 1.0}, "shift=1"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Consistency(**arguments)


@pytest.mark.parametrize("clips", ["real", "fake"])
def test_small_frames_move_with_large_ones(make_step, clips):
    """A judge that compares both finds nothing changed."""
    seen = []

    def judge(clip):
        seen.append(clip)
        return Judgement({"video": clip.video.mean((1, 2, 3, 4))})

    step = make_step(judge)
    sides = {
        side: replace(getattr(step, side), low=getattr(step, side).video.detach())
        for side in ("real", "fake")
    }
    Consistency(clips=clips)(replace(step, **sides))
    assert torch.equal(seen[-1].low, seen[-1].video)
    assert not torch.equal(seen[-1].low, sides[clips].low)
