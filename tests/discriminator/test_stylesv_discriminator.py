import pytest
import torch

from vgen.clip import Clip, regular_times
from vgen.discriminator.styleganv import StyleGANVDiscriminator
from vgen.discriminator.stylesv import StyleSVDiscriminator

TOY = {"size": 64, "frames": 3, "base_channels": 8, "max_channels": 16, "time_dim": 5, "longest": 16}


def make(**changes) -> StyleSVDiscriminator:
    torch.manual_seed(0)
    network = StyleSVDiscriminator(**TOY | changes)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return network


def clips(frames: int = 3, size: int = 64) -> Clip:
    video = torch.rand(4, 3, frames, size, size, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Clip(video, regular_times(4, frames), torch.arange(4) % 2)


def shapes(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def test_weights_of_images_are_those_of_clips_but_for_the_verdict():
    """So that a judge of images can go on as one of clips."""
    images, few, many = (shapes(make(frames=frames)) for frames in (1, 3, 16))
    assert {name for name in images if images[name] != few.get(name)} == {"end.out.weight", "end.out.bias"}
    assert {name for name in few if few[name] != many.get(name)} == {"end.mapping.embed.weight"}
    assert {name.split(".")[0] for name in few.keys() - images.keys()} == {"differences", "end"}


def test_no_width_is_divided_and_none_sees_three_frames():
    """StyleGAN-V's, but that the block before the join ends in 512 maps in place of 256, and the next begins with 512
    in place of 3 * 256."""

    def count(network: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    with torch.device("meta"):
        mine = StyleSVDiscriminator(size=256, frames=3, base_channels=64)
        theirs = StyleGANVDiscriminator(size=256, frames=3, base_channels=64, mapping_layers=2)
    before = 256 * (512 * 9 + 1 + 512)
    after = 256 * (512 * 9 + 512)
    assert count(mine) - count(theirs) == before - after


def test_convolutions_see_shifted_frames_and_shortcuts_do_not():
    network = make(shift=0.25).eval()
    given, seen = [], []
    for block in network.blocks:
        block.shortcut.register_forward_hook(lambda _, inputs, made: given.append(inputs[0]))
        block.one.register_forward_hook(lambda _, inputs, made: seen.append(inputs[0]))
    network(clips())
    assert [len(maps) for maps in given] == [12, 12, 4, 4]  # 64 and 32 pixels: frames; 16 and 8: clips
    for maps, shifted in zip(given[:2], seen[:2], strict=True):
        frames, moved = (x.unflatten(0, (4, 3)) for x in (maps, shifted))
        share = frames.shape[2] // 4
        assert torch.equal(moved[:, :-1, :share], frames[:, 1:, :share])
        assert torch.equal(moved[:, 1:, share : 2 * share], frames[:, :-1, share : 2 * share])
        assert torch.equal(moved[:, :, 2 * share :], frames[:, :, 2 * share :])
    for maps, same in zip(given[2:], seen[2:], strict=True):
        assert torch.equal(maps, same)


def test_maps_are_averaged_over_frames():
    """Without an exchange, an average of maps does not know their order."""
    network = make(shift=0.0).eval()
    clip = clips()
    flipped = clip.with_video(clip.video.flip(2))
    torch.testing.assert_close(network(flipped).logits["video"], network(clip).logits["video"])
    shifting = make().eval()
    assert not torch.allclose(shifting(flipped).logits["video"], shifting(clip).logits["video"])


def test_distances_and_classes_count():
    network = make(classes=2).eval()
    clip = clips()
    logits = network(clip).logits["video"]
    torch.testing.assert_close(network(Clip(clip.video, clip.times + 7, clip.label)).logits["video"], logits)
    for other in (Clip(clip.video, clip.times * 2, clip.label), Clip(clip.video, clip.times, 1 - clip.label)):
        assert not torch.allclose(network(other).logits["video"], logits)


@pytest.mark.parametrize(("join_size", "size"), [(4, 32), (8, 32), (32, 32), (16, 8), (4, 8)])
def test_any_place_to_average_and_one_frame(join_size: int, size: int):
    for frames in (1, 2):
        network = make(join_size=join_size, size=size, frames=frames)
        judged = network(clips(frames, size))
        assert judged.logits["video"].shape == (4,)
        assert judged.features["video"].shape == (4, 16, 4, 4)


def test_what_cannot_be():
    for changes, message in (
        ({"join_size": 12}, "join_size=12"),
        ({"shift": 0.7}, "shift=0.7"),
        ({"frames": 0}, "frames=0"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**changes)
