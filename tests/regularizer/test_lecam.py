from dataclasses import replace

import pytest
import torch

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.lecam import LeCam


def says(step, real, fake, head="video"):
    """The step, with the discriminator's logits replaced."""
    real, fake = (torch.tensor(x, dtype=torch.float64) for x in (real, fake))
    return replace(step, on_real=Judgement({head: real}), on_fake=Judgement({head: fake}))


@pytest.fixture
def step(make_step):
    return make_step(lambda clip: Judgement({"video": clip.video.sum((1, 2, 3, 4))}))


def test_first_update_compares_with_the_batch_itself(step):
    term = LeCam(weight=0.3, interval=2)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (0.3, 2, "discriminator")
    value = LeCam(one_sided=False)(says(step, [1.0, 3.0], [-1.0, 0.0]))
    # averages 2 and -0.5
    expected = ((1 + 0.5) ** 2 + (3 + 0.5) ** 2) / 2 + ((2 + 1) ** 2 + 2**2) / 2
    assert value.item() == pytest.approx(expected)


def test_one_sided_ignores_logits_on_the_wrong_side(step):
    value = LeCam()(says(step, [-4.0, 0.0], [1.0, 3.0]))  # averages -2 and 2
    assert value.item() == 0
    value = LeCam()(says(step, [-4.0, 6.0], [1.0, -1.0]))  # averages 1 and 0
    assert value.item() == pytest.approx((0 + 6**2) / 2 + (0 + 2**2) / 2)


def test_averages_are_debiased_moving_averages(step):
    term = LeCam(decay=0.9)
    reals = [2.0, -1.0, 4.0, 0.5]
    for value in reals:
        term(says(step, [value], [-value]))
    weights = [0.1 * 0.9**k for k in reversed(range(4))]
    expected = sum(w * x for w, x in zip(weights, reals, strict=True)) / sum(weights)
    assert dict(term.named_buffers())["real/video"].item() == pytest.approx(expected)
    assert dict(term.named_buffers())["fake/video"].item() == pytest.approx(-expected)


def test_no_gradient_passes_through_the_averages(step):
    real = torch.tensor([1.0, 3.0], dtype=torch.float64, requires_grad=True)
    on_real, on_fake = Judgement({"video": real}), Judgement({"video": torch.zeros(2, dtype=torch.float64)})
    LeCam()(replace(step, on_real=on_real, on_fake=on_fake)).backward()
    torch.testing.assert_close(real.grad, real.detach() - 0)  # of the mean of (real - 0)^2 over two


def test_evaluation_learns_nothing(step):
    term = LeCam().eval()
    term(says(step, [5.0], [1.0]))
    assert term.updates == 0
    assert all(value == 0 for value in term.state_dict().values())


def test_averages_of_every_head_survive_a_checkpoint(step):
    term = LeCam()
    for head in ("video", "frames.low"):
        term(says(step, [1.0, 2.0], [-3.0, 0.0], head))
    fresh = LeCam()
    fresh.load_state_dict(term.state_dict())
    assert len(term.state_dict()) == 5
    again = [t(says(step, [0.3], [0.1], "frames.low")) for t in (term, fresh)]
    torch.testing.assert_close(*again)


def test_decay_is_checked():
    with pytest.raises(ValueError, match="decay=1"):
        LeCam(decay=1.0)
