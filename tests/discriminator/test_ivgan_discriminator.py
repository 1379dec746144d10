from itertools import pairwise

import pytest
import torch
from torch import nn

from vgen.clip import Clip, regular_times
from vgen.discriminator.ivgan import IVGANDiscriminator


def make(**arguments) -> IVGANDiscriminator:
    torch.manual_seed(0)
    return IVGANDiscriminator(**{"size": 8, "frames": 4, "base_channels": 4} | arguments)


def clips(size: int = 8, frames: int = 4, batch: int = 3) -> Clip:
    video = torch.randn(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(1))
    return Clip(video, regular_times(batch, frames))


def test_parameters_of_the_paper():
    with torch.device("meta"):
        network = IVGANDiscriminator()
    widths = [3, 64, 128, 256, 512, 1]
    convolutions = sum(64 * i * o + o for i, o in pairwise(widths))
    assert sum(p.numel() for p in network.parameters()) == convolutions + 2 * (64 + 128 + 256 + 512) + 4 + 1


@pytest.mark.parametrize(("size", "frames"), [(32, 8), (64, 16), (128, 8), (16, 7), (8, 1), (8, 9)])
def test_shapes(size: int, frames: int):
    judgement = make(size=size, frames=frames, base_channels=2, max_channels=4)(clips(size, frames))
    assert {name: tuple(v.shape) for name, v in judgement.logits.items()} == {"video": (3,)}
    assert judgement.logits["video"].unique().numel() == 3


def test_every_clip_is_judged_by_itself_on_all_its_pixels():
    network, clip = make(frames=7).double(), clips(frames=7)
    video = clip.video.double().requires_grad_()
    logits = network(clip.with_video(video)).logits["video"]
    (gradient,) = torch.autograd.grad(logits[0], video)
    assert not gradient[1:].any()
    assert (gradient[0].abs().sum(0) > 0).all()
    torch.testing.assert_close(network(Clip(video[1:2], clip.times[1:2])).logits["video"], logits[1:2])


def test_gradients_reach_every_parameter():
    network = make()
    network(clips()).logits["video"].square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_layer_norm_is_over_the_whole_clip():
    layer = next(m for m in make().modules() if isinstance(m, nn.GroupNorm))
    x = torch.randn(2, 4, 3, 5, 5)
    torch.testing.assert_close(layer(x), torch.nn.functional.layer_norm(x, x.shape[1:]))


def test_other_clips_are_refused():
    with pytest.raises(ValueError, match=r"built for 4 frames of 3x8x8 but got 5"):
        make()(clips(frames=5))
    with pytest.raises(ValueError, match=r"clip\.frames=0"):
        make(frames=0)
