import pytest
import torch
from torch import nn

from vgen import rng
from vgen.clip import Clip, Discriminator, Judgement, regular_times
from vgen.discriminator.head.view import View
from vgen.discriminator.mocogan import MoCoGANDiscriminator
from vgen.discriminator.multi import MultiDiscriminator
from vgen.discriminator.tgan import TGANDiscriminator
from vgen.loss.hinge import Hinge
from vgen.training.objective import Objective

SMALL = {"size": 8, "frames": 4, "base_channels": 4}


class Seen(nn.Module):
    """Judges clips by their mean, and keeps what it saw."""

    def forward(self, clip: Clip) -> Judgement:
        self.clip = clip
        return Judgement({"video": clip.video.flatten(1).mean(1)}, features={"video": clip.video})


def clips(batch: int = 4, frames: int = 8, size: int = 16) -> Clip:
    """The colour of frame t of clip b is 10 b + t."""
    colour = 10.0 * torch.arange(batch)[:, None] + torch.arange(frames)
    video = colour.view(batch, 1, frames, 1, 1).expand(-1, 3, -1, size, size)
    return Clip(video.clone(), regular_times(batch, frames), torch.arange(batch) % 2)


def look(view: View, clip: Clip) -> Clip:
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        return view.look(clip)


def test_random_frames_are_different_and_in_the_order_of_time():
    seen = look(View(judge=Seen(), frames=3, size=16, choice="random"), clips(400))
    assert seen.video.shape == (400, 3, 3, 16, 16)
    colours = seen.video[:, 0, :, 0, 0]
    assert (colours.diff(dim=1) > 0).all()
    assert torch.equal(seen.times, colours % 10)
    assert (colours // 10 == torch.arange(400)[:, None]).all()
    assert set((colours % 10).flatten().tolist()) == set(range(8))


def test_a_stretch_keeps_its_step_and_begins_anywhere():
    seen = look(View(judge=Seen(), frames=3, size=16, step=2), clips(400))
    assert (seen.times.diff(dim=1) == 2).all()
    assert set(seen.times[:, 0].tolist()) == {0, 1, 2, 3}


def test_a_smaller_size_is_the_mean_over_areas():
    clip = clips()
    clip = clip.with_video(torch.rand_like(clip.video))
    seen = look(View(judge=Seen(), frames=8, size=8), clip)
    blocks = clip.video.unflatten(4, (8, 2)).unflatten(3, (8, 2)).mean((4, 6))
    torch.testing.assert_close(seen.video, blocks)
    assert torch.equal(seen.times, clip.times)


def test_the_whole_clip_is_handed_on_as_it_is():
    clip = clips()
    assert look(View(judge=Seen(), frames=8, size=16), clip) is clip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"choice": "first"}, "choice=first"),
        ({"frames": 0}, "frames=0"),
        ({"step": 0}, "step=0"),
        ({"weight": 0.0}, r"weight=0\.0"),
    ],
)
def test_views_that_cannot_be(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        View(**{"judge": Seen(), "frames": 2, "size": 8} | arguments)


@pytest.mark.parametrize("arguments", [{"frames": 9}, {"frames": 5, "step": 2}, {"size": 32}])
def test_more_than_there_is_cannot_be_seen(arguments: dict):
    with pytest.raises(ValueError, match=r"clips have 8 of size 16"):
        look(View(**{"judge": Seen(), "frames": 8, "size": 16} | arguments), clips())


def two_heads(**weights: float) -> MultiDiscriminator:
    torch.manual_seed(0)
    both = MoCoGANDiscriminator(**SMALL, classes=2)
    one = TGANDiscriminator(**{**SMALL, "size": 16, "frames": 8}, classes=2)
    heads = {
        "small": View(judge=both, frames=4, size=8, weight=weights.get("small", 1.0)),
        "whole": View(judge=one, frames=8, size=16, weight=weights.get("whole", 1.0)),
    }
    return MultiDiscriminator(heads=heads)


def test_names_of_heads_and_what_they_say():
    network = two_heads().eval()
    assert isinstance(network, Discriminator)
    clip = clips()
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        draws = rng.mark()
        judged = network(clip)
        with rng.repeat(draws):
            small = network.heads["small"](clip)
        whole = network.heads["whole"](clip)
    assert set(judged.logits) == {"small_image", "small_video", "whole"}
    assert set(judged.features) == {"small_image", "small_video", "whole"}
    assert torch.equal(judged.logits["small_video"], small.logits["video"])
    assert torch.equal(judged.logits["whole"], whole.logits["video"])
    torch.testing.assert_close(judged.class_logits, (small.class_logits + whole.class_logits) / 2)


def test_weights_multiply_the_losses_of_their_heads():
    clip = clips()
    objective = Objective(loss=Hinge(), head_weights={"whole": 3.0})
    losses = []
    for network in (two_heads(), two_heads(small=0.5, whole=0.1)):
        with rng.use_stream(rng.BatchStream(rng.generator(0))):
            judged = network.eval()(clip)
        losses.append(objective.adversarial("generator", judged, judged))
    for head, factor in {"small_image": 0.5, "small_video": 0.5, "whole": 0.1}.items():
        torch.testing.assert_close(losses[1][head], factor * losses[0][head])


def test_a_multi_inside_a_multi_multiplies_weights():
    inner = MultiDiscriminator(heads={"a": View(judge=Seen(), frames=4, size=8, weight=0.5)})
    outer = MultiDiscriminator(heads={"b": View(judge=inner, frames=8, size=16, weight=0.5)})
    assert dict(outer(clips()).weights) == {"b": 0.25}


def test_gradients_reach_every_parameter_of_every_head():
    network = two_heads()
    clip = clips()
    judged = network(clip.with_video(torch.rand_like(clip.video)))
    total = (
        sum(logits.square().sum() for logits in judged.logits.values()) + judged.class_logits.square().sum()
    )
    total.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_heads_must_be_there_and_have_names_of_their_own():
    with pytest.raises(ValueError, match="no heads"):
        MultiDiscriminator(heads={})
    judge = MoCoGANDiscriminator(**SMALL)
    heads = {
        "a": View(judge=judge, frames=4, size=8),
        "a_video": View(judge=Seen(), frames=8, size=16),
    }
    with pytest.raises(ValueError, match="two heads are called a_video"):
        MultiDiscriminator(heads=heads)(clips())
