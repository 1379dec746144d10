import math

import pytest
import torch

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.classification import Classification


def judge(clip):
    """Sure of class 0 for the first clip, of nothing for the others."""
    logits = torch.zeros(clip.batch, 4, dtype=torch.float64)
    logits[0, 0] = 100.0 if clip.video.requires_grad else -100.0
    return Judgement({"video": logits[:, 0]}, logits)


def test_each_player_reads_its_own_clips(make_step):
    step = make_step(judge, label=torch.tensor([0, 1, 2]))
    real, fake = Classification(player="discriminator"), Classification(player="generator", weight=0.5)
    assert isinstance(real, Regularizer)
    assert (real.player, fake.player, fake.weight) == ("discriminator", "generator", 0.5)
    unsure = 2 * math.log(4)
    assert real(step).item() == pytest.approx(unsure / 3)
    assert fake(step).item() == pytest.approx((100 + math.log(3) + unsure) / 3)


def test_what_is_missing_is_named(make_step):
    mute = make_step(
        lambda clip: Judgement({"video": clip.video.sum((1, 2, 3, 4))}), label=torch.zeros(3).long()
    )
    with pytest.raises(ValueError, match=r"discriminator\.video=full.*clip\.classes"):
        Classification(player="discriminator")(mute)
    with pytest.raises(ValueError, match="data with labels"):
        Classification(player="discriminator")(make_step(judge))
    with pytest.raises(ValueError, match=r"generator\.classes"):
        Classification(player="generator")(make_step(judge))
    with pytest.raises(ValueError, match="'critic'"):
        Classification(player="critic")  # type: ignore[arg-type]


def test_the_discriminator_may_learn_from_generated_clips(make_step):
    step = make_step(judge, label=torch.tensor([0, 1, 2]))
    on_fake = Classification(player="discriminator", clips="fake")
    torch.testing.assert_close(on_fake(step), Classification(player="generator")(step))


def test_clips_that_teach_nothing_are_refused():
    with pytest.raises(ValueError, match="teaches it nothing"):
        Classification(player="generator", clips="real")
    with pytest.raises(ValueError, match="real or fake"):
        Classification(player="discriminator", clips="both")
