import pytest
import torch
import torch.nn.functional as F

from vgen.clip import Clip, Discriminator, regular_times
from vgen.discriminator.vgan import VGANDiscriminator


def make(**arguments) -> VGANDiscriminator:
    torch.manual_seed(0)
    discriminator = VGANDiscriminator(**{"size": 8, "frames": 4, "base_channels": 4} | arguments)
    for parameter in discriminator.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return discriminator


def clips(batch: int = 2, frames: int = 4, size: int = 8) -> Clip:
    generator = torch.Generator().manual_seed(5)
    video = torch.rand(batch, 3, frames, size, size, generator=generator) * 2 - 1
    return Clip(video, regular_times(batch, frames))


def test_parameters_of_the_paper():
    with torch.device("meta"):
        discriminator = VGANDiscriminator()
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 11_057_858
    assert discriminator.layers[-1].kernel_size == (2, 4, 4)


@pytest.mark.parametrize(
    ("size", "frames"), [(32, 8), (32, 12), (64, 16), (64, 32), (64, 7), (128, 16), (8, 1)]
)
def test_one_logit_per_clip_that_sees_every_frame(size: int, frames: int):
    discriminator = make(size=size, frames=frames, base_channels=2, max_channels=4).eval()
    assert isinstance(discriminator, Discriminator)
    clip = clips(frames=frames, size=size)
    clip.video.requires_grad_()
    logits = discriminator(clip).logits
    assert {head: value.shape for head, value in logits.items()} == {"video": (2,)}
    logits["video"].sum().backward()
    assert clip.video.grad.abs().sum((0, 1, 3, 4)).min() > 0


def test_the_logit_turns_softmax_into_sigmoid_cross_entropy():
    discriminator = make().eval()
    clip = clips()
    outputs = discriminator.layers(clip.video).flatten(1)
    logit = discriminator(clip).logits["video"]
    real = torch.zeros(2, dtype=torch.int64)
    torch.testing.assert_close(F.cross_entropy(outputs, real), F.softplus(-logit).mean())
    torch.testing.assert_close(F.cross_entropy(outputs, 1 - real), F.softplus(logit).mean())


def test_gradients_and_their_gradients_reach_every_parameter():
    discriminator = make(size=16)
    clip = clips(batch=3, size=16)
    clip.video.requires_grad_()
    score = discriminator(clip).logits["video"].square().sum()
    (gradient,) = torch.autograd.grad(score, clip.video, create_graph=True)
    first = torch.autograd.grad(score, list(discriminator.parameters()), retain_graph=True)
    gradient.square().sum().backward()
    for (name, parameter), once in zip(discriminator.named_parameters(), first, strict=True):
        assert once.isfinite().all(), name
        assert once.any(), name
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_clips_do_not_leak_in_evaluation_and_state_travels():
    discriminator = make(size=16)
    discriminator(clips(size=16))
    judged = discriminator.eval()(clips(size=16)).logits["video"]
    first = clips(size=16)
    torch.testing.assert_close(
        discriminator(Clip(first.video[1:], first.times[1:])).logits["video"], judged[1:]
    )
    copy = make(size=16, frames=4).eval()
    copy.load_state_dict(discriminator.state_dict())
    assert torch.equal(copy(first).logits["video"], judged)


def test_clips_of_another_shape_are_refused():
    for other in ({"frames": 5}, {"size": 16}):
        with pytest.raises(ValueError, match=r"for 4 frames of 3x8x8 .*clip\.frames"):
            make()(clips(**other))
    with pytest.raises(ValueError, match=r"clip\.frames=0"):
        make(frames=0)
