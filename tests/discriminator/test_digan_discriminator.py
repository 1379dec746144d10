import pytest
import torch

from vgen import rng
from vgen.clip import Clip, regular_times
from vgen.discriminator.digan import DIGANDiscriminator

TOY = {"size": 8, "base_channels": 4, "max_channels": 8, "minibatch_group": None}


def test_parameters_of_the_paper():
    with torch.device("meta"):
        network = DIGANDiscriminator(size=128, base_channels=256)
    for judge in (network.image, network.video):
        assert round(sum(parameter.numel() for parameter in judge.parameters()) / 1e6, 2) == 28.39


def seen_by(network: DIGANDiscriminator, clip: Clip) -> tuple[torch.Tensor, torch.Tensor]:
    seen = {}
    network.image.register_forward_pre_hook(lambda _, given: seen.update(frames=given[0]))
    network.video.register_forward_pre_hook(lambda _, given: seen.update(pair=given[0]))
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        network(clip)
    return seen["frames"], seen["pair"]


def test_the_pair_and_the_time_between():
    network = DIGANDiscriminator(**TOY)
    video = torch.randn(2, 3, 2, 8, 8)
    frames, pair = seen_by(network, Clip(video, torch.tensor([[0.0, 3.0], [5.0, 20.0]])))
    assert torch.equal(frames.unflatten(0, (2, 2)), video.transpose(1, 2))
    assert torch.equal(pair[:, :3], video[:, :, 0])
    assert torch.equal(pair[:, 3:6], video[:, :, 1])
    torch.testing.assert_close(pair[:, 6], torch.tensor([0.2, 1.0])[:, None, None].expand(2, 8, 8))


def test_of_longer_clips_two_random_frames_in_order():
    network = DIGANDiscriminator(frames=5, **TOY)
    times = regular_times(64, 5)
    video = times[:, None, :, None, None].expand(-1, 3, -1, 8, 8).contiguous()
    frames, pair = seen_by(network, Clip(video, times))
    first, second = pair[:, 0, 0, 0], pair[:, 3, 0, 0]
    assert (first < second).all()
    torch.testing.assert_close(pair[:, 6, 0, 0], (second - first) / 15)
    assert {*first.tolist(), *second.tolist()} == {0.0, 1.0, 2.0, 3.0, 4.0}
    torch.testing.assert_close(frames.unflatten(0, (64, 2))[:, :, 0, 0, 0], torch.stack([first, second], 1))


def test_what_cannot_be():
    for changes, message in (({"frames": 1}, r"clip\.frames=1"), ({"span": 0.0}, "span=0")):
        with pytest.raises(ValueError, match=message):
            DIGANDiscriminator(**TOY | changes)
