import pytest
import torch

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.generator.ivgan import IVGAN


def make(**arguments) -> IVGAN:
    torch.manual_seed(0)
    return IVGAN(**{"size": 8, "frames": 4, "latent_dim": 6, "base_channels": 4} | arguments)


def test_parameters_of_the_paper():
    with torch.device("meta"):
        generator = IVGAN()
    linear = 100 * 16384 + 16384
    convolutions = [(512, 256), (256, 128), (128, 64), (64, 3)]
    offsets = 512 + 256 + 128 + 64
    expected = linear + sum(64 * i * o + o for i, o in convolutions) + offsets
    assert sum(parameter.numel() for parameter in generator.parameters()) == expected == 12_678_531
    assert generator.first_shape == (512, 2, 4, 4)


@pytest.mark.parametrize(("size", "frames"), [(32, 8), (32, 16), (64, 16), (128, 8), (16, 7), (8, 1)])
def test_shapes_and_seeds(size: int, frames: int):
    generator = make(size=size, frames=frames, channels=2, base_channels=2, max_channels=4)
    assert isinstance(generator, Generator)
    times = regular_times(2, frames)
    generator.check_times(times)
    latent = generator.sample_latent(2, times, rng.generator(0))
    video = generator(latent, times)
    assert video.shape == (2, 2, frames, size, size)
    assert video.abs().max() <= 1
    assert not torch.allclose(video[0], video[1])
    if frames > 1:
        assert not torch.allclose(video[:, :, 0], video[:, :, -1])
    assert torch.equal(generator.sample_latent(2, times, rng.generator(0))["z"], latent["z"])


def test_initial_spread():
    generator = make(size=16, frames=16, base_channels=64)
    first, last = generator.layers[2].weight, generator.layers[5].weight
    assert first.var().item() == pytest.approx(4 / (64 * 128 + 64 * 64 / 8), rel=0.02)
    assert last.var().item() == pytest.approx(4 / (64 * 64 + 64 * 3 / 8), rel=0.05)
    assert generator.first.weight.std().item() == pytest.approx(0.01, rel=0.02)


def test_gradients_reach_every_parameter():
    generator = make(classes=2)
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
    assert not torch.equal(generator(latent, times, label.flip(0)), video)
    with pytest.raises(ValueError, match=r"generator\.classes=0"):
        generator(latent, times)
    free = make().eval()
    assert torch.equal(free(latent, times, label), free(latent, times))


def test_times_that_it_cannot_make():
    generator = make()
    with pytest.raises(ValueError, match=r"4 frames only, not of 5; set clip\.frames"):
        generator.check_times(regular_times(2, 5))
    with pytest.raises(ValueError, match="sampler=consecutive"):
        generator.check_times(torch.tensor([[0.0, 1, 2, 9]]))
    with pytest.raises(ValueError, match=r"clip\.frames=0"):
        make(frames=0)
