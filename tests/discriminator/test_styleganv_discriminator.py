import pytest
import torch

from vgen.clip import Clip, regular_times
from vgen.discriminator.styleganv import StyleGANVDiscriminator

TOY = {"size": 32, "frames": 3, "base_channels": 4, "max_channels": 8, "time_dim": 5, "longest": 16}


def make(**changes) -> StyleGANVDiscriminator:
    torch.manual_seed(0)
    network = StyleGANVDiscriminator(**TOY | changes)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return network


def clips(frames: int = 3, size: int = 32) -> Clip:
    video = torch.rand(4, 3, frames, size, size, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Clip(video, regular_times(4, frames), torch.arange(4) % 2)


@pytest.mark.parametrize(("size", "width", "millions"), [(256, 64, 26.91), (128, 128, 26.79)])
def test_parameters_of_the_paper(size: int, width: int, millions: float):
    with torch.device("meta"):
        network = StyleGANVDiscriminator(size=size, frames=3, base_channels=width)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2) == millions


def test_frames_are_joined_at_16_pixels_by_half_their_width():
    network = StyleGANVDiscriminator(size=64, frames=3, base_channels=8, max_channels=64)
    seen = {}
    network.clip_blocks[0].register_forward_hook(lambda _, given, made: seen.update(joined=given[0]))
    network(clips(size=64))
    assert seen["joined"].shape == (4, 3 * 32 // 2, 16, 16)


def test_frames_are_seen_apart_before_they_are_joined():
    network = make(minibatch_group=None).eval()
    seen = []
    network.frame_blocks.register_forward_hook(lambda _, given, made: seen.append(made))
    clip = clips()
    network(clip)
    network(clip.with_video(clip.video.flip(2)))
    whole, flipped = (maps.unflatten(0, (4, 3)) for maps in seen)
    torch.testing.assert_close(whole.flip(1), flipped)


def test_distances_and_classes_count():
    network = make(classes=2).eval()
    clip = clips()
    logits = network(clip).logits["video"]
    assert logits.shape == (4,)
    later = Clip(clip.video, clip.times + 7, clip.label)
    torch.testing.assert_close(network(later).logits["video"], logits)
    for other in (Clip(clip.video, clip.times * 2, clip.label), Clip(clip.video, clip.times, 1 - clip.label)):
        assert not torch.allclose(network(other).logits["video"], logits)


def test_one_frame_is_an_image():
    network = make(frames=1)
    assert network.end.mapping is None
    assert network(clips(1)).logits["video"].shape == (4,)


@pytest.mark.parametrize(("join_size", "size"), [(4, 32), (8, 32), (16, 32), (32, 32), (16, 8), (4, 8)])
def test_any_place_to_join(join_size: int, size: int):
    network = make(join_size=join_size, size=size)
    clip = clips(size=size)
    clip.video.requires_grad_()
    judged = network(clip)
    assert judged.features["video"].shape[-1] == 4
    judged.logits["video"].sum().backward()
    assert clip.video.grad.abs().sum((0, 1, 3, 4)).min() > 0
    sizes = [size >> number for number in range(len(network.frame_blocks) + 1)]
    assert sizes[-1] == min(join_size, size // 2)


def test_what_cannot_be():
    for changes, message in (
        ({"join_size": 12}, "join_size=12"),
        ({"divide": 0}, "divide=0"),
        ({"frames": 0}, "frames=0"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**changes)
