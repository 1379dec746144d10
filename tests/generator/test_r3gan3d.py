"""R3GAN3D's first videos."""

import pytest
import torch

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.r3gan3d import R3GAN3D

TIMES = regular_times(16, 8)
TOY = {"size": 16, "frames": 8, "base_channels": 8, "max_channels": 16}


def first_videos(**settings: float) -> torch.Tensor:
    torch.manual_seed(0)
    network = R3GAN3D(**TOY, **settings)
    with torch.no_grad():
        return network(network.sample_latent(16, TIMES, rng.generator(0)), TIMES)


def test_videos_start_at_a_grey_level_which_is_learned() -> None:
    torch.testing.assert_close(
        first_videos(start=-1.0) - first_videos(), torch.full((16, 3, 8, 16, 16), -1.0)
    )
    network = R3GAN3D(**TOY, start=-1.0)
    network(network.sample_latent(16, TIMES, rng.generator(0)), TIMES).sum().backward()
    assert network.start is not None
    torch.testing.assert_close(network.start.grad.flatten(), torch.full((3,), 16.0 * 8 * 16 * 16))
    assert all("start" not in name for name, _ in R3GAN3D(**TOY).named_parameters())

    with pytest.raises(ValueError, match=r"start=2\.0"):
        R3GAN3D(**TOY, start=2.0)


@pytest.mark.parametrize("gain", [0.0, 0.25])
def test_the_last_gain_scales_them(gain: float) -> None:
    torch.testing.assert_close(first_videos(last_gain=gain), gain * first_videos())


def test_the_code_scales_the_colours_of_a_whole_clip_about_the_start() -> None:
    torch.testing.assert_close(first_videos(start=-1.0, colour_gain=0.0), first_videos(start=-1.0))

    torch.manual_seed(0)
    network = R3GAN3D(**TOY, start=-1.0, colour_gain=0.5)
    assert network.colour is not None
    latent = network.sample_latent(16, TIMES, rng.generator(0))
    with torch.no_grad():
        factors = 1 + latent["z"] @ network.colour.linear.weight.T  # (B, C)
        scaled = network(latent, TIMES)
        network.colour = None
        plain = network(latent, TIMES)
    torch.testing.assert_close(scaled + 1, factors[:, :, None, None, None] * (plain + 1))
    assert 0.35 < factors.std() < 0.65

    with pytest.raises(ValueError, match=r"colour_gain=-0\.5"):
        R3GAN3D(**TOY, colour_gain=-0.5)
