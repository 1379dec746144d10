import pytest
import torch

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.r1 import R1


def test_linear_discriminator(make_step):
    w, v = torch.randn(2, 96, dtype=torch.float64)
    term = R1(weight=7.0)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (7.0, 1, "discriminator")
    assert "real" in term.differentiates
    value = term(make_step(lambda clip: Judgement({"video": clip.video.flatten(1) @ w})))
    torch.testing.assert_close(value, 0.5 * w.square().sum())

    def two_heads(clip):
        x = clip.video.flatten(1)
        patches = torch.stack([x @ v, 3 * x @ v], 1).view(-1, 1, 2)
        return Judgement({"video": x @ w, "image": patches})

    torch.testing.assert_close(R1()(make_step(two_heads)), 0.5 * (w + 2 * v).square().sum())


def test_gradient_for_the_discriminators_weights(make_step):
    torch.manual_seed(0)
    weights = (torch.randn(96, 4, dtype=torch.float64) / 10).requires_grad_()
    out = torch.randn(4, dtype=torch.float64).requires_grad_()

    def term(weights, out):
        return R1()(
            make_step(lambda clip: Judgement({"video": torch.tanh(clip.video.flatten(1) @ weights) @ out}))
        )

    assert torch.autograd.gradcheck(term, (weights, out))


def test_does_not_depend_on_the_batch(make_step):
    def same(clip):
        return Judgement({"video": clip.video.flatten(1).sum(1) * 2})

    assert R1()(make_step(same, batch=2)).item() == pytest.approx(R1()(make_step(same, batch=5)).item())


def test_averaged_over_frames(make_step):
    """As for images: a clip of T frames has one T-th of the sum."""
    w = torch.randn(96, dtype=torch.float64)
    step = make_step(lambda clip: Judgement({"video": clip.video.flatten(1) @ w}))
    frames = step.real.video.shape[2]
    torch.testing.assert_close(R1(frames="mean")(step), R1()(step) / frames)
    with pytest.raises(ValueError, match="frames=max"):
        R1(frames="max")
