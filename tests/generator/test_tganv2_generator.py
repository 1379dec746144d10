import pytest
import torch

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.generator.tganv2 import TGANv2


def make(**arguments) -> TGANv2:
    torch.manual_seed(0)
    return TGANv2(**{"size": 8, "latent_dim": 6, "base_channels": 8} | arguments)


def test_the_papers_widths_at_256_pixels():
    with torch.device("meta"):
        generator = TGANv2(size=256)
    outputs = [block.second.out_channels for block in generator.blocks]
    assert outputs == [512, 256, 128, 64, 32, 32]
    assert generator.recurrence.channels == 1024
    linear = 256 * 16 * 1024 + 16 * 1024
    lstm = 2 * 1024 * 4096 * 9 + 4096
    blocks = sum(
        2 * i + 2 * o + 9 * (i * o + o * o) + i * o + 3 * o
        for i, o in zip([1024, *outputs], outputs, strict=False)
    )
    last = 2 * 32 + 32 * 3 * 9 + 3
    assert sum(p.numel() for p in generator.parameters()) == linear + lstm + blocks + last


@pytest.mark.parametrize(("size", "frames"), [(32, 8), (32, 16), (64, 16), (128, 8), (16, 7), (8, 1)])
def test_shapes_and_seeds(size: int, frames: int):
    generator = make(size=size, channels=2, base_channels=2, max_channels=8)
    assert isinstance(generator, Generator)
    times = regular_times(2, frames)
    generator.check_times(times)
    latent = generator.sample_latent(2, times, rng.generator(0))
    assert latent["z"].abs().max() <= 1
    video = generator(latent, times)
    assert video.shape == (2, 2, frames, size, size)
    assert video.abs().max() <= 1
    assert not torch.allclose(video[0], video[1])
    if frames > 1:
        assert not torch.allclose(video[:, :, 0], video[:, :, 1])
    assert torch.equal(generator.sample_latent(2, times, rng.generator(0))["z"], latent["z"])


@pytest.mark.parametrize("classes", [0, 2])
def test_gradients_reach_every_parameter(classes: int):
    generator = make(classes=classes)
    times, label = regular_times(3, 4), torch.tensor([0, 1, 1])
    video = generator(generator.sample_latent(3, times, rng.generator(0)), times, label)
    (video * torch.randn_like(video)).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_clips_do_not_leak_and_labels_are_heard():
    generator = make(classes=2).eval()
    times, label = regular_times(2, 4), torch.tensor([0, 1])
    latent = generator.sample_latent(2, times, rng.generator(0))
    video = generator(latent, times, label)
    torch.testing.assert_close(generator({"z": latent["z"][1:]}, times[1:], label[1:]), video[1:])
    assert not torch.allclose(generator(latent, times, label.flip(0)), video)
    with pytest.raises(ValueError, match=r"generator\.classes=0"):
        generator(latent, times)
    free = make().eval()
    assert torch.equal(free(latent, times, label), free(latent, times))


def test_longer_clips_continue_shorter_ones():
    generator = make().eval()
    long, short = regular_times(2, 6), regular_times(2, 3)
    latent = generator.sample_latent(2, long, rng.generator(0))
    torch.testing.assert_close(generator(latent, long)[:, :, :3], generator(latent, short))


def test_times_that_it_cannot_make():
    with pytest.raises(ValueError, match="sampler=consecutive"):
        make().check_times(torch.tensor([[0.0, 1, 2, 9]]))
