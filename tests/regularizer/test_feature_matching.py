from dataclasses import replace

import pytest
import torch

from vgen.clip import Judgement, Regularizer
from vgen.discriminator.mocogan import MoCoGANDiscriminator
from vgen.discriminator.vgan import VGANDiscriminator
from vgen.regularizer.feature_matching import FeatureMatching


def judge(clip):
    x = clip.video.flatten(1)
    return Judgement({"video": x.sum(1)}, features={"mean": x, "square": x[:, :10].square()})


def test_compares_means_over_clips(make_step):
    term = FeatureMatching(weight=2.0)
    assert isinstance(term, Regularizer)
    assert (term.weight, term.interval, term.player) == (2.0, 1, "generator")
    step = make_step(judge)
    real, fake = (clip.video.detach().flatten(1) for clip in (step.real, step.fake))
    expected = (real.mean(0) - fake.mean(0)).square().mean()
    expected = expected + (real[:, :10].square().mean(0) - fake[:, :10].square().mean(0)).square().mean()
    torch.testing.assert_close(term(step).detach(), expected)


def test_judges_real_clips_itself_where_the_loss_did_not(make_step):
    step = make_step(judge)
    expected = FeatureMatching()(step)
    bare = replace(step, on_real=Judgement({"video": step.on_real.logits["video"].detach()}))
    torch.testing.assert_close(FeatureMatching()(bare), expected)


def test_gradients_reach_generated_clips_alone(make_step):
    step = make_step(judge)
    fake = step.fake.with_video(step.fake.video.detach().requires_grad_())
    FeatureMatching()(replace(step, fake=fake, on_fake=judge(fake))).backward()
    assert fake.video.grad.abs().sum() > 0
    assert step.real.video.grad is None


def test_a_discriminator_without_features_is_refused(make_step):
    step = make_step(lambda clip: Judgement({"video": clip.video.sum((1, 2, 3, 4))}))
    with pytest.raises(ValueError, match="needs a discriminator that gives features"):
        FeatureMatching()(step)


@pytest.mark.parametrize("kind", [MoCoGANDiscriminator, VGANDiscriminator])
def test_discriminators_give_what_their_last_layers_read(make_step, kind):
    torch.manual_seed(0)
    network = kind(size=8, channels=2, frames=3, base_channels=2).double().eval()
    step = make_step(
        lambda clip: network(clip.with_video(clip.video.repeat_interleave(2, 3).repeat_interleave(2, 4)))
    )
    features = step.on_fake.features
    assert features.keys() == step.on_fake.logits.keys()
    assert all(len(feature) == 3 for feature in features.values())
    assert FeatureMatching()(step) > 0
