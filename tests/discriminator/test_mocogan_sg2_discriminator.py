import pytest
import torch

from vgen.clip import Clip, regular_times
from vgen.discriminator.mocogan_sg2 import MoCoGANSG2Discriminator


@pytest.mark.parametrize(("size", "width", "millions"), [(128, 128, 34.94), (256, 64, 49.22)])
def test_parameters_of_the_paper(size: int, width: int, millions: float):
    with torch.device("meta"):
        network = MoCoGANSG2Discriminator(size=size, frames=3, base_channels=width)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 16, 20])
@pytest.mark.parametrize("size", [8, 16, 64])
def test_short_clips_are_padded_as_far_as_they_need(size: int, frames: int):
    network = MoCoGANSG2Discriminator(
        size=size, frames=frames, base_channels=2, max_channels=4, video_channels=2
    )
    video = torch.randn(2, 3, frames, size, size)
    logits = network(Clip(video, regular_times(2, frames))).logits
    assert logits["image"].shape == (2, frames)
    assert 1 <= logits["video"].shape[1] <= max(4, frames)


def test_16_frames_of_64_pixels_are_mocogans():
    network = MoCoGANSG2Discriminator(size=64, frames=16, base_channels=2, max_channels=4, video_channels=2)
    judged = network(Clip(torch.zeros(1, 3, 16, 64, 64), regular_times(1, 16)))
    assert judged.features["video"].shape == (1, 16, 4, 4, 4)
    assert judged.logits["video"].shape == (1, 1)


def test_what_cannot_be():
    for changes, message in (({"video_lr": 0.0}, "video_lr=0"), ({"frames": 0}, r"clip\.frames=0")):
        with pytest.raises(ValueError, match=message):
            MoCoGANSG2Discriminator(size=8, **changes)
