import pytest
import torch
from torch import nn

from vgen.clip import Clip, Discriminator, regular_times
from vgen.discriminator.r3gan3d import R3GAN3DDiscriminator
from vgen.rng import BatchStream, generator, use_stream


def make(**arguments) -> R3GAN3DDiscriminator:
    torch.manual_seed(0)
    small = {"size": 8, "frames": 4, "embedding_dim": 3, "base_channels": 4, "max_channels": 8}
    discriminator = R3GAN3DDiscriminator(**small | arguments)
    for parameter in discriminator.parameters():
        if (
            not parameter.any()
        ):  # biases, and the zero layers of fix-up, which would hide what lies behind them
            nn.init.normal_(parameter, std=0.3)
    return discriminator


def clips(batch: int = 2, frames: int = 4, size: int = 8, label: torch.Tensor | None = None) -> Clip:
    video = torch.rand(batch, 3, frames, size, size, generator=generator(5)) * 2 - 1
    return Clip(video, regular_times(batch, frames), label)


@pytest.mark.parametrize(
    ("size", "base", "most", "group", "millions"),
    [
        (32, 768, 768, 16, 20.68),  # CIFAR-10
        (64, 384, 768, 16, 22.38),  # FFHQ-64
        (256, 96, 768, 16, 23.01),  # FFHQ-256
        (32, 1536, 1536, 32, 82.66),  # ImageNet-32, without the embedding of the class
        (64, 1536, 1536, 32, 103.31),  # ImageNet-64
    ],
)
def test_the_judge_of_frames_has_the_parameters_of_the_paper(
    size: int, base: int, most: int, group: int, millions: float
):
    with torch.device("meta"):
        discriminator = R3GAN3DDiscriminator(
            size=size,
            frames=1,
            image_frames=1,
            base_channels=base,
            max_channels=most,
            blocks=2,
            group_width=group,
            patch=1,
        )
    assert round(sum(p.numel() for p in discriminator.image.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("size", "frames", "images"), [(8, 4, 0), (16, 7, 2), (32, 8, 1), (64, 16, 0), (128, 8, 0), (16, 1, 1)]
)
def test_heads_see_every_frame(size: int, frames: int, images: int):
    discriminator = make(size=size, frames=frames, image_frames=images)
    assert isinstance(discriminator, Discriminator)
    clip = clips(frames=frames, size=size)
    clip.video.requires_grad_()
    judged = discriminator(clip)
    logits = judged.logits
    assert judged.features.keys() == logits.keys()
    shapes = {"video": (2,)} | ({"image": (2, images)} if images else {})
    assert {head: value.shape for head, value in logits.items()} == shapes
    logits["video"].sum().backward()
    assert clip.video.grad.abs().sum((0, 1, 3, 4)).min() > 0


@pytest.mark.parametrize("patch", [1, 2])
def test_gradients_and_their_gradients_reach_every_parameter(patch: int):
    discriminator = make(classes=2, image_frames=2, patch=patch)
    clip = clips(3, label=torch.tensor([0, 1, 1]))
    clip.video.requires_grad_()
    logits = discriminator(clip).logits
    score = sum(value.square().sum() for value in logits.values())
    (gradient,) = torch.autograd.grad(score, clip.video, create_graph=True)
    first = torch.autograd.grad(score, list(discriminator.parameters()), retain_graph=True)
    gradient.square().sum().backward()
    for (name, parameter), once in zip(discriminator.named_parameters(), first, strict=True):
        assert once.isfinite().all(), name
        assert once.any(), name
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_the_class_is_projected():
    discriminator = make(classes=3)
    label = torch.tensor([2, 0])
    logits = discriminator(clips(label=label)).logits["video"]
    features = discriminator(clips(label=label)).features["video"]
    verdict = discriminator.video.verdict(features)
    expected = torch.einsum("nd,nd->n", verdict, discriminator.video.embedding[label]) / 3**0.5
    torch.testing.assert_close(logits, expected)
    with pytest.raises(ValueError, match=r"the discriminator is conditional .*discriminator\.classes=0"):
        discriminator(clips())
    free = make()
    assert torch.equal(free(clips(label=label)).logits["video"], free(clips()).logits["video"])


def test_the_judge_of_frames_sees_random_frames_with_their_own_labels():
    discriminator = make(classes=2, image_frames=2)
    clip = clips(label=torch.tensor([0, 1]))
    with use_stream(BatchStream(generator(1))):
        seen = discriminator(clip).logits["image"]
    order = torch.rand(2, 4, generator=generator(1)).argsort(1)[:, :2]
    for b in range(2):
        frames = clip.video[b, :, order[b]].transpose(0, 1)
        torch.testing.assert_close(seen[b], discriminator.image(frames, clip.label[b].repeat(2))[0])


def test_clips_do_not_leak():
    discriminator = make(size=16)
    judged = discriminator(clips(size=16)).logits["video"]
    first = clips(size=16)
    alone = discriminator(Clip(first.video[1:], first.times[1:])).logits["video"]
    torch.testing.assert_close(alone, judged[1:])


def test_what_is_refused():
    for other in ({"frames": 5}, {"size": 16}):
        with pytest.raises(ValueError, match=r"for 4 frames of 3x8x8 .*clip\.frames"):
            make()(clips(**other))
    with pytest.raises(ValueError, match=r"clip\.frames=0"):
        make(frames=0)
    for patch, message in ((3, "1, 2x2 or 4x4"), (4, "too large for clip.size=8; set patch=2")):
        with pytest.raises(ValueError, match=message):
            make(patch=patch)
    with pytest.raises(ValueError, match=r"image_frames=5 must lie between 0 and the 4"):
        make(image_frames=5)


def test_the_centre_is_the_grey_level_that_counts_as_zero():
    clip = clips()
    black = clip.with_video(torch.full_like(clip.video, -1.0))
    plain, centred = make(), make(centre=-1.0)
    moved = plain(clip.with_video(clip.video + 1)).logits["video"]
    torch.testing.assert_close(centred(clip).logits["video"], moved)
    assert not torch.allclose(plain(black).logits["video"], centred(black).logits["video"])

    with pytest.raises(ValueError, match=r"centre=2"):
        make(centre=2.0)
