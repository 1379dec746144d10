"""StyleSV's generator: counts, one video however it is cut, and what image pre-training leaves alone."""

from functools import partial

import pytest
import torch
from torch import Tensor

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.framewise import Framewise
from vgen.generator.motion.fourier import FourierMotion
from vgen.generator.motion.spline import SplineMotion
from vgen.generator.synthesis.stylegan3 import StyleGAN3

MOTIONS = {"fourier": FourierMotion, "spline": SplineMotion}


def build(motion: str, **changes) -> Framewise:
    torch.manual_seed(0)
    toy = {
        "size": 8,
        "w_dim": 6,
        "base_channels": 2,
        "max_channels": 4,
        "layers": 3,
        "critical": 1,
        "margin": 2,
    }
    source = partial(MOTIONS[motion], motion_dim=6, noise_dim=4, kernel=3)
    return Framewise(motion=source, synthesis=partial(StyleGAN3, **toy | changes), content_dim=5)


def make(generator: Framewise, times: Tensor) -> Tensor:
    with torch.no_grad():
        return generator(generator.sample_latent(len(times), times, rng.generator(0)), times)


def test_parameters_at_256_pixels():
    """StyleGAN3's, StyleGAN-V's motion and what connects them; StyleSV prints no number of its own."""
    with torch.device("meta"):
        generator = Framewise(
            motion=FourierMotion,
            synthesis=partial(StyleGAN3, size=256, base_channels=64),
            content_dim=512,
            label_to="both",
        )
    motion = 6_292_480
    assert sum(p.numel() for p in generator.motion.parameters()) == motion
    assert (
        sum(p.numel() for p in generator.parameters()) == 23_320_443 + motion + 513 * 512 + 1025 * 512 + 512
    )


@pytest.mark.parametrize("motion", MOTIONS)
def test_whole_in_chunks_and_frame_by_frame_are_the_same_video(motion: str):
    """At times before zero, between frames, and thousands of frames on."""
    generator = build(motion).eval()
    torch.nn.init.ones_(generator.synthesis.mask)
    times = torch.stack([torch.arange(12) * 0.75 - 40, torch.arange(12) * 2.5 + 3000])
    whole = make(generator, times)
    assert not torch.allclose(whole[:, :, 0], whole[:, :, 1], atol=1e-3)
    for length in (1, 5):
        pieces = torch.cat([make(generator, part) for part in times.split(length, 1)], 2)
        torch.testing.assert_close(pieces, whole, atol=1e-3, rtol=1e-3)


def test_pictures_do_not_teach_the_motion():
    """With the mask held at 0, training on single frames moves the synthesis and nothing of the motion."""
    generator = build("fourier", learn_mask=False)
    times = regular_times(4, 1)
    generator(generator.sample_latent(4, times, rng.generator(0)), times).square().sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in generator.motion.parameters())
    assert generator.synthesis.mask.grad is None
    assert generator.synthesis.blocks[0].weight.grad.any()
    learning = build("fourier")
    learning.load_state_dict(generator.state_dict())
    assert torch.equal(make(learning.eval(), times), make(generator.eval(), times))
