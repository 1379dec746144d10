import pytest
import torch
from torch import nn

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.generator.r3gan3d import R3GAN3D
from vgen.layer.r3gan import Resample


def make(**arguments) -> R3GAN3D:
    torch.manual_seed(0)
    small = {
        "size": 8,
        "frames": 4,
        "latent_dim": 6,
        "embedding_dim": 3,
        "base_channels": 4,
        "max_channels": 8,
    }
    return R3GAN3D(**small | arguments)


def lively(**arguments) -> R3GAN3D:
    """With last layers of blocks away from zero, so that something lies behind them."""
    generator = make(**arguments)
    for parameter in generator.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    return generator


@pytest.mark.parametrize(
    ("size", "frames"), [(8, 4), (16, 7), (32, 8), (32, 12), (64, 16), (128, 8), (16, 1), (16, 2)]
)
def test_shapes_and_seeds(size: int, frames: int):
    generator = make(size=size, frames=frames, channels=2)
    assert isinstance(generator, Generator)
    times = regular_times(2, frames)
    generator.check_times(times)
    video = generator(generator.sample_latent(2, times, rng.generator(0)), times)
    assert video.shape == (2, 2, frames, size, size)
    assert 0.05 < video.std() < 5
    assert not torch.allclose(video[0], video[1])
    if frames > 1:
        assert not torch.allclose(video[:, :, 0], video[:, :, -1])


def test_time_doubles_in_the_first_stages():
    with torch.device("meta"):
        generator = R3GAN3D(size=64, frames=16, patch=1)
    changes = [layer.time for layer in generator.stages if isinstance(layer, Resample)]
    assert changes == [True, True, True, False]
    assert generator.basis.maps.shape == (256, 2, 4, 4)


@pytest.mark.parametrize("patch", [1, 2])
def test_gradients_reach_every_parameter(patch: int):
    generator = lively(classes=2, blocks=2, patch=patch)
    times, label = regular_times(3, 4), torch.tensor([0, 1, 1])
    video = generator(generator.sample_latent(3, times, rng.generator(0)), times, label)
    (video * torch.randn_like(video)).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_clips_do_not_leak_and_labels_are_heard():
    generator = lively(classes=2)
    times, label = regular_times(2, 4), torch.tensor([0, 1])
    latent = generator.sample_latent(2, times, rng.generator(0))
    video = generator(latent, times, label)
    torch.testing.assert_close(generator({"z": latent["z"][1:]}, times[1:], label[1:]), video[1:])
    assert not torch.allclose(generator(latent, times, label.flip(0)), video)
    with pytest.raises(ValueError, match=r"generator\.classes=0"):
        generator(latent, times)
    free = lively()
    assert torch.equal(free(latent, times, label), free(latent, times))


def test_memory_layout_changes_nothing():
    generator = lively().double()
    times = regular_times(2, 4)
    latent = {"z": torch.randn(2, 6, dtype=torch.float64)}
    video = generator(latent, times)
    for parameter in generator.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(latent, times), video)


def test_times_that_it_cannot_make():
    generator = make()
    with pytest.raises(ValueError, match=r"4 frames only, not of 5; set clip\.frames"):
        generator.check_times(regular_times(2, 5))
    with pytest.raises(ValueError, match="sampler=consecutive"):
        generator.check_times(torch.tensor([[0.0, 1, 2, 9]]))
    with pytest.raises(ValueError, match=r"clip\.frames"):
        generator({"z": torch.randn(1, 6)}, regular_times(1, 5))
    with pytest.raises(ValueError, match=r"clip\.frames=0"):
        make(frames=0)
