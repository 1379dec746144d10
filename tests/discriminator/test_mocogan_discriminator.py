import pytest
import torch

from vgen import rng
from vgen.clip import Clip, Discriminator, regular_times
from vgen.discriminator.mocogan import MoCoGANDiscriminator


def make(**arguments) -> MoCoGANDiscriminator:
    torch.manual_seed(0)
    return MoCoGANDiscriminator(**{"size": 8, "frames": 4, "base_channels": 4} | arguments)


def clips(batch: int = 2, channels: int = 3, frames: int = 4, size: int = 8) -> Clip:
    generator = torch.Generator().manual_seed(5)
    video = torch.rand(batch, channels, frames, size, size, generator=generator) * 2 - 1
    return Clip(video, regular_times(batch, frames), torch.zeros(batch, dtype=torch.int64))


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"image": "patch", "video": "none"}, 663_296),
        ({"image": "full", "video": "none"}, 2_765_568),
        ({"image": "none", "video": "patch"}, 2_650_880),
        ({"image": "none", "video": "full"}, 11_056_896),
        ({"image": "none", "video": "full", "classes": 6}, 11_253_504),
    ],
)
def test_parameters_of_the_original(arguments, count: int):
    with torch.device("meta"):
        discriminator = MoCoGANDiscriminator(**arguments)
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == count


@pytest.mark.parametrize(
    ("size", "frames"), [(32, 8), (32, 12), (32, 16), (64, 8), (64, 16), (64, 32), (128, 16), (8, 1)]
)
@pytest.mark.parametrize("kind", ["patch", "full"])
def test_logits_per_head(size: int, frames: int, kind):
    discriminator = make(size=size, frames=frames, image=kind, video=kind, base_channels=2, max_channels=4)
    assert isinstance(discriminator, Discriminator)
    logits = discriminator(clips(frames=frames, size=size)).logits
    positions = max(1, frames - 3 * ({8: 1, 32: 3, 64: 4, 128: 5}[size] + (kind == "full")))
    if kind == "full":
        assert logits["image"].shape == (2,)
        assert logits["video"].shape == ((2,) if positions == 1 else (2, positions))
    else:
        assert logits["image"].shape == (2, 1, 4, 4)
        assert logits["video"].shape == (2, positions, 4, 4)


def test_the_video_judge_sees_every_frame():
    for frames in (2, 5, 12, 20):
        discriminator = make(size=16, frames=frames, image="none").eval()
        clip = clips(frames=frames, size=16)
        clip.video.requires_grad_()
        discriminator(clip).logits["video"].sum().backward()
        assert clip.video.grad.abs().sum((0, 1, 3, 4)).min() > 0


def test_longer_clips_are_judged_and_others_refused():
    discriminator = make(video="full", image="none", frames=4)
    assert discriminator(clips(frames=6)).logits["video"].shape == (2, 3)
    for other in ({"frames": 3}, {"size": 16}, {"channels": 1}):
        with pytest.raises(ValueError, match=r"at least 4 frames of 3x8x8 .*clip\.frames"):
            discriminator(clips(**other))


def test_class_logits_are_the_mean_over_positions():
    discriminator = make(classes=5, image="none", frames=7).eval()
    judgement = discriminator(clips(frames=9))
    assert judgement.class_logits.shape == (2, 5)
    raw = discriminator.video(clips(frames=9).video)
    torch.testing.assert_close(judgement.logits["video"], raw[:, 0, :, 0, 0])
    torch.testing.assert_close(judgement.class_logits, raw[:, 1:, :, 0, 0].mean(2))
    assert make()(clips()).class_logits is None


def test_image_frames_are_different_frames_of_the_same_clip_and_all_alike_likely():
    discriminator = make(video="none", image_frames=2, frames=5)
    # The colour of frame t of clip b is 10 b + t.
    video = (10.0 * torch.arange(4000)[:, None] + torch.arange(5)).view(4000, 1, 5, 1, 1)
    clip = Clip(video, regular_times(4000, 5))
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        colours = discriminator._choose_frames(clip).video[:, 0, :, 0, 0]
    assert (colours // 10 == torch.arange(4000)[:, None]).all()
    frames = (colours % 10).long()
    assert (frames[:, 0] != frames[:, 1]).all()
    share = frames.flatten().bincount(minlength=5) / 4000
    torch.testing.assert_close(share, torch.full((5,), 0.4), rtol=0, atol=0.03)


def test_image_logits_belong_to_their_clips():
    discriminator = make(video="none", image="full", image_frames=4).eval()
    clip = clips(batch=3)
    logits = discriminator(clip).logits["image"]
    assert logits.shape == (3, 4)
    one = discriminator.image(clip.video[2, :, 1][None])[0, 0, 0]
    torch.testing.assert_close(logits[2, 1], one[0])


def test_choices_of_frames_follow_the_stream_and_not_the_processes():
    discriminator = make(video="none", image="full").eval()
    clip = clips(batch=4)

    def judge(part: Clip, **stream) -> torch.Tensor:
        with rng.use_stream(rng.BatchStream(rng.generator(0), **stream)):
            return discriminator(part).logits["image"]

    halves = [Clip(video, clip.times[:2]) for video in clip.video.chunk(2)]
    split = torch.cat([judge(half, rank=rank, world=2) for rank, half in enumerate(halves)])
    torch.testing.assert_close(split, judge(clip))


@pytest.mark.parametrize("kind", ["patch", "full"])
def test_gradients_and_their_gradients_reach_every_parameter(kind):
    discriminator = make(size=16, image=kind, video=kind, classes=3 if kind == "full" else 0, noise_sigma=0.1)
    clip = clips(batch=3, size=16)
    clip.video.requires_grad_()
    judgement = discriminator(clip)
    total = sum(logits.square().sum() for logits in judgement.logits.values())
    if judgement.class_logits is not None:
        total = total + judgement.class_logits.square().sum()
    (gradient,) = torch.autograd.grad(total, clip.video, create_graph=True)
    first = torch.autograd.grad(total, list(discriminator.parameters()), retain_graph=True)
    gradient.square().sum().backward()
    for (name, parameter), once in zip(discriminator.named_parameters(), first, strict=True):
        assert once.isfinite().all(), name
        assert once.any(), name
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_clips_do_not_leak_in_evaluation_and_state_travels():
    discriminator = make(image_frames=4, noise_sigma=0.5)
    discriminator(clips(batch=3))
    judged = discriminator.eval()(clips(batch=3)).logits
    first = clips(batch=3)
    alone = discriminator(Clip(first.video[1:2], first.times[1:2])).logits
    copy = make(image_frames=4, noise_sigma=0.0).eval()
    copy.load_state_dict(discriminator.state_dict())
    for head, logits in judged.items():
        torch.testing.assert_close(alone[head], logits[1:2])
        assert torch.equal(copy(first).logits[head], logits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": "none", "video": "none"}, "both none"),
        ({"classes": 2, "video": "patch"}, r"video=patch .*2 classes.*discriminator\.video=full"),
        ({"image": "whole"}, r"discriminator\.image must be patch, full or none"),
        ({"image_frames": 5}, r"image_frames=5 .*4 frames"),
        ({"image_frames": 0}, "image_frames=0"),
        ({"size": 12}, r"clip\.size=12"),
        ({"noise_sigma": -1.0}, "sigma"),
    ],
)
def test_what_cannot_be_built_says_why(arguments, message: str):
    with pytest.raises(ValueError, match=message):
        make(**arguments)
