"""Every motion source drives every synthesis network."""

from functools import partial

import pytest
import torch
from test_config import options

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.generator.framewise import Framewise
from vgen.generator.motion.deconv1d import Deconv1dMotion
from vgen.generator.motion.direction import DirectionMotion
from vgen.generator.motion.fourier import FourierMotion
from vgen.generator.motion.gru import GRUMotion
from vgen.generator.motion.lowpass import LowpassMotion
from vgen.generator.motion.lstm import LSTMMotion
from vgen.generator.motion.lstm_residual import LSTMResidualMotion
from vgen.generator.motion.noise import NoiseMotion
from vgen.generator.motion.sinusoid import SinusoidMotion
from vgen.generator.motion.spline import SplineMotion
from vgen.generator.motion.static import StaticMotion
from vgen.generator.synthesis.biggan import BigGAN
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.generator.synthesis.inr import INR
from vgen.generator.synthesis.r3gan import R3GANSynthesis
from vgen.generator.synthesis.stylegan2 import StyleGAN2
from vgen.generator.synthesis.stylegan3 import StyleGAN3
from vgen.generator.synthesis.tgan import TGANSynthesis

ANCHORED = {"motion_dim": 4, "noise_dim": 3, "kernel": 3}
MOTIONS = {
    "deconv1d": partial(Deconv1dMotion, motion_dim=3, base_channels=2),
    "direction": partial(DirectionMotion, motion_dim=3),
    "fourier": partial(FourierMotion, **ANCHORED),
    "gru": partial(GRUMotion, motion_dim=3),
    "lowpass": partial(LowpassMotion, noise_channels=2, filters=2, shortest=4.0, longest=30.0),
    "lstm": partial(LSTMMotion, motion_dim=3, noise_dim=4),
    "lstm_residual": partial(LSTMResidualMotion, hidden_dim=4, components=2),
    "noise": partial(NoiseMotion, motion_dim=3),
    "sinusoid": partial(SinusoidMotion, motion_dim=3, noise_dim=4, bands=2),
    "spline": partial(SplineMotion, **ANCHORED),
    "static": partial(StaticMotion, motion_dim=3),
}
SYNTHESES = {
    "biggan": partial(BigGAN, max_channels=8),
    "dcgan": partial(DCGAN, max_channels=8),
    "inr": partial(INR, max_channels=8, w_dim=6, waves=4, rank=2),
    "r3gan": partial(R3GANSynthesis, max_channels=8, blocks=1),
    "stylegan2": partial(StyleGAN2, max_channels=8, w_dim=6),
    "stylegan3": partial(StyleGAN3, max_channels=8, w_dim=6, layers=3, critical=1, margin=2),
    "tgan": partial(TGANSynthesis, max_channels=8),
}
FRAMES = 16


def build(motion: str, synthesis: str, *, size: int = 8, **arguments) -> Framewise:
    torch.manual_seed(0)
    painter = partial(SYNTHESES[synthesis], size=size, base_channels=4, channels=2)
    generator = Framewise(motion=MOTIONS[motion], synthesis=painter, content_dim=5, **arguments)
    for parameter in generator.parameters():
        if (
            not parameter.any()
        ):  # biases, and the zero layers of fix-up, which would hide what lies behind them
            torch.nn.init.normal_(parameter, std=0.5)
    return generator


def test_no_option_is_left_out() -> None:
    assert set(MOTIONS) == set(options()["generator/motion"])
    assert set(SYNTHESES) == set(options()["generator/synthesis"])


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("synthesis", SYNTHESES)
@pytest.mark.parametrize("label_to", ["motion", "synthesis"])
def test_a_conditional_clip_with_gradients_to_every_parameter(motion: str, synthesis: str, label_to: str):
    generator = build(motion, synthesis, classes=2, label_to=label_to)
    assert isinstance(generator, Generator)
    times, label = regular_times(3, FRAMES), torch.tensor([0, 1, 1])
    generator.check_times(times)
    latent = generator.sample_latent(3, times, rng.generator(0))
    parts = generator.decompose(latent, times, label)
    assert parts["video"].shape == (3, 2, FRAMES, 8, 8)
    sum((part * torch.randn_like(part)).sum() for part in parts.values()).backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # The cell that starts MoCoGAN-HD's walk comes from a state of zeros.
        assert parameter.grad.any() == (name != "motion.start.weight_hh"), name


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("synthesis", SYNTHESES)
def test_clips_do_not_leak_and_the_label_is_heard(motion: str, synthesis: str):
    generator = build(motion, synthesis, classes=2).double().eval()
    times, label = regular_times(3, FRAMES), torch.tensor([0, 1, 1])
    drawn = generator.sample_latent(3, times, rng.generator(0))
    latent = {name: part.double() if part.is_floating_point() else part for name, part in drawn.items()}
    video = generator(latent, times, label)
    alone = generator({name: part[1:2] for name, part in latent.items()}, times[1:2], label[1:2])
    torch.testing.assert_close(alone, video[1:2])
    assert not torch.allclose(generator(latent, times, 1 - label), video)
    moves = not torch.allclose(video[:, :, 0], video[:, :, 1], atol=1e-6)
    assert moves == (motion != "static")


@pytest.mark.parametrize(
    "motion", ["direction", "fourier", "lowpass", "noise", "sinusoid", "spline", "static"]
)
def test_a_long_video_can_be_made_in_pieces(motion: str):
    generator = build(motion, "dcgan").eval()
    assert generator.reads_times
    times = regular_times(2, 60) * 1.5

    def make(times: torch.Tensor) -> torch.Tensor:
        return generator(generator.sample_latent(len(times), times, rng.generator(0)), times)

    pieces = torch.cat([make(piece) for piece in times.split(25, 1)], 2)
    torch.testing.assert_close(pieces, make(times), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("synthesis", SYNTHESES)
@pytest.mark.parametrize("size", [32, 64, 128])
def test_sizes(synthesis: str, size: int):
    generator = build("noise", synthesis, size=size)
    times = regular_times(1, 2)
    assert generator(generator.sample_latent(1, times, rng.generator(0)), times).shape == (
        1,
        2,
        2,
        size,
        size,
    )
