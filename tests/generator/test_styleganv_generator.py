"""StyleGAN-V's generator as its YAML builds it: counts, time, and one video however it is cut."""

from functools import partial

import pytest
import torch
from torch import Tensor

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.framewise import Framewise
from vgen.generator.motion.fourier import FourierMotion
from vgen.generator.synthesis.stylegan2 import StyleGAN2


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def build(**changes) -> Framewise:
    torch.manual_seed(0)
    synthesis = partial(StyleGAN2, **{"size": 8, "w_dim": 6, "base_channels": 4, "max_channels": 8} | changes)
    motion = partial(FourierMotion, motion_dim=6, noise_dim=4, kernel=3)
    return Framewise(motion=motion, synthesis=synthesis, content_dim=5).eval()


@pytest.mark.parametrize(("size", "width", "millions"), [(256, 64, 32.11), (128, 128, 31.86)])
def test_parameters_of_the_paper(size: int, width: int, millions: float):
    with torch.device("meta"):
        synthesis = partial(StyleGAN2, size=size, base_channels=width)
        generator = Framewise(motion=FourierMotion, synthesis=synthesis, content_dim=512, label_to="both")
    assert round(count(generator) / 1e6, 2) == millions
    if size == 256:  # what the code calls synthesis is all but the mapping network
        assert round((count(generator) - count(generator.synthesis.mapping)) / 1e6, 2) == 31.58


def make(generator: Framewise, times: Tensor) -> Tensor:
    with torch.no_grad():
        return generator(generator.sample_latent(len(times), times, rng.generator(0)), times)


def test_whole_in_chunks_and_frame_by_frame_are_the_same_video():
    """At times before zero, between frames, and thousands of frames on."""
    generator = build()
    times = torch.stack([torch.arange(12) * 0.75 - 40, torch.arange(12) * 2.5 + 3000])
    generator.check_times(times)
    whole = make(generator, times)
    assert not torch.allclose(whole[:, :, 0], whole[:, :, 1], atol=1e-3)
    for length in (1, 5):
        pieces = torch.cat([make(generator, part) for part in times.split(length, 1)], 2)
        torch.testing.assert_close(pieces, whole, atol=1e-3, rtol=1e-3)


def test_the_motion_code_is_a_learned_vector_at_anchors_and_continuous_between():
    motion = FourierMotion(motion_dim=6, noise_dim=4, kernel=3, distance=16.0, start=0.0).double()
    anchors = 16 * torch.arange(-3, 4, dtype=torch.float64)[None]
    drawn = motion.sample_latent(1, anchors, rng.generator(0))
    latent = drawn | {"motion_noise": drawn["motion_noise"].double()}
    vectors = motion.aligner(motion.anchors(latent, None))[:, : anchors.shape[1]]
    torch.testing.assert_close(motion(latent, anchors, None), vectors)
    fine = torch.linspace(-40, 40, 8001, dtype=torch.float64)[None]  # steps of 0.01 frames
    steps = motion(latent, fine, None).diff(dim=1)
    # e(t) turns at most by 2 pi 2 / 16 a frame, and the lines that join anchors are no steeper than their ends apart.
    steepest = 0.01 * (2 * torch.pi * 2 / 16 + (2 + 2 * vectors.abs().max()) / 16)
    assert steps.abs().max() < steepest


def test_labels_reach_the_mapping_and_the_motion():
    torch.manual_seed(0)
    synthesis = partial(StyleGAN2, size=8, w_dim=6, base_channels=4, max_channels=8)
    motion = partial(FourierMotion, motion_dim=6, noise_dim=4, kernel=3)
    generator = Framewise(
        motion=motion, synthesis=synthesis, content_dim=5, classes=2, label_to="both"
    ).eval()
    assert generator.synthesis.mapping.embed.weight.shape == (6, 2)
    assert generator.motion.anchors.first.weight.shape[1] == 4 + 2
    times = regular_times(2, 3)
    latent = generator.sample_latent(2, times, rng.generator(0))
    one, other = (generator(latent, times, torch.tensor(label)) for label in ([0, 1], [1, 0]))
    assert not torch.allclose(one, other)
