import math

import pytest
import torch

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.free_codes import FreeCodes

GUESSES = torch.tensor([[0.0, 0.0, 0.5], [math.log(3), 0.0, -1.0]], dtype=torch.float64)
CODES = {
    "code_category_0": torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64),
    "code_continuous": torch.tensor([[0.5], [1.0]], dtype=torch.float64),
}


def judge(guesses):
    return lambda clip: Judgement({"video": clip.video.sum((1, 2, 3, 4))}, guesses)


def test_is_minus_the_log_likelihood_of_the_codes(make_step):
    term = FreeCodes(player="generator", continuous_weight=0.1)
    assert isinstance(term, Regularizer)
    category = (math.log(2) + math.log(4)) / 2
    value = term(make_step(judge(GUESSES), parts=CODES, batch=2))
    assert value.item() == pytest.approx(category + 0.1 * 0.5 * (0 + 4) / 2)
    alone = FreeCodes(player="discriminator")(
        make_step(judge(GUESSES[:, :2]), parts={"code_category_0": CODES["code_category_0"]}, batch=2)
    )
    assert alone.item() == pytest.approx(category)


def test_what_is_missing_is_named(make_step):
    term = FreeCodes(player="generator")
    with pytest.raises(ValueError, match="condition=codes"):
        term(make_step(judge(GUESSES), batch=2))
    for guesses, has in ((None, 0), (GUESSES[:, :2], 2)):
        with pytest.raises(ValueError, match=rf"guesses {has}; .* discriminator\.classes=3"):
            term(make_step(judge(guesses), parts=CODES, batch=2))
    with pytest.raises(ValueError, match="player"):
        FreeCodes(player="both")


def test_codes_become_readable(tmp_path):
    """A generator that would not show its codes learns to, and the discriminator to read them."""
    from test_config import build
    from toy import toy_trainer

    _, data, model = build(
        "clip.frames=8", "width=8", "batch=16", "condition=codes", "condition.codes.categories=[2]",
        "condition.codes.continuous=0", "regularizer=free_codes", "discriminator=tgan", "discriminator.classes=2",
        "generator=vgan", "loss=hinge",
    )  # fmt: skip
    toy_trainer(tmp_path, 60).fit(model, datamodule=data)
    losses = model.trainer.callback_metrics
    assert float(losses["regularizer/free_codes_fake"]) < 0.3
