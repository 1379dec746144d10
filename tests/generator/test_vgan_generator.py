import pytest
import torch

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.generator.vgan import VGAN


def small(**arguments) -> VGAN:
    torch.manual_seed(0)
    return VGAN(**{"size": 8, "frames": 4, "latent_dim": 6, "base_channels": 4} | arguments)


def lively(**arguments) -> VGAN:
    """With weights large enough that clips differ by more than rounding."""
    generator = small(**arguments)
    for parameter in generator.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return generator


def test_parameters_of_the_paper():
    with torch.device("meta"):
        generator = VGAN()
    assert sum(parameter.numel() for parameter in generator.parameters()) == 16_245_383
    assert generator.trunk[0].kernel_size == (2, 4, 4)


@pytest.mark.parametrize(
    ("size", "frames"), [(32, 8), (32, 12), (64, 16), (64, 32), (64, 8), (16, 7), (8, 1), (128, 8)]
)
def test_video_is_foreground_over_background(size: int, frames: int):
    generator = lively(size=size, frames=frames, channels=2, base_channels=2, max_channels=4)
    assert isinstance(generator, Generator)
    times = regular_times(2, frames)
    parts = generator.decompose(generator.sample_latent(2, times, rng.generator(0)), times)
    video, foreground, background, mask = (parts[n] for n in ("video", "foreground", "background", "mask"))
    assert video.shape == foreground.shape == background.shape == (2, 2, frames, size, size)
    assert mask.shape == (2, 1, frames, size, size)
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert video.abs().max() <= 1
    assert torch.equal(background, background[:, :, :1].expand_as(background))
    torch.testing.assert_close(video, background + mask * (foreground - background))
    if frames > 1:
        assert not torch.allclose(video[:, :, 0], video[:, :, 1])


def test_seeds_and_state():
    times = regular_times(2, 4)
    generator, copy = lively().eval(), small().eval()
    latent = generator.sample_latent(2, times, rng.generator(1))
    video = generator(latent, times)
    assert not torch.allclose(copy(latent, times), video)
    copy.load_state_dict(generator.state_dict())
    assert torch.equal(copy(copy.sample_latent(2, times, rng.generator(1)), times), video)
    torch.testing.assert_close(copy({"z": latent["z"][1:]}, times[1:]), video[1:])
    assert not torch.allclose(copy(copy.sample_latent(2, times, rng.generator(2)), times), video)


def test_gradients_reach_every_parameter():
    generator = lively(classes=2)
    times, label = regular_times(3, 4), torch.tensor([0, 1, 1])
    video = generator(generator.sample_latent(3, times, rng.generator(0)), times, label)
    (video * torch.randn_like(video)).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_labels():
    times, label = regular_times(2, 4), torch.tensor([0, 1])
    free, told = lively().eval(), lively(classes=2).eval()
    latent = free.sample_latent(2, times, rng.generator(0))
    assert torch.equal(free(latent, times, label), free(latent, times))
    assert not torch.allclose(told(latent, times, label), told(latent, times, label.flip(0)))
    with pytest.raises(ValueError, match=r"generator\.classes=0"):
        told(latent, times)


def test_times_that_it_cannot_make():
    generator = small()
    generator.check_times(regular_times(2, 4, stride=2))
    with pytest.raises(ValueError, match=r"4 frames only, not of 5; set clip\.frames"):
        generator.check_times(regular_times(2, 5))
    with pytest.raises(ValueError, match="sampler=consecutive"):
        generator.check_times(torch.tensor([[0.0, 1, 2, 9]]))
    with pytest.raises(ValueError, match=r"clip\.frames"):
        generator(generator.sample_latent(2, regular_times(2, 5), rng.generator(0)), regular_times(2, 5))
    with pytest.raises(ValueError, match=r"clip\.frames=0"):
        small(frames=0)
