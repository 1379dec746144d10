import pytest
import torch
from torch import nn

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.generator.dvdgan import DVDGAN
from vgen.layer.attention import SelfAttention
from vgen.layer.batch_norm import BatchNorm


def make(**arguments) -> DVDGAN:
    torch.manual_seed(0)
    small = {"size": 8, "frames": 4, "latent_dim": 6, "embedding_dim": 3, "base_channels": 16}
    return DVDGAN(**small | arguments)


def lively(**arguments) -> DVDGAN:
    """With its attention switched on."""
    generator = make(**arguments)
    for layer in generator.modules():
        if isinstance(layer, SelfAttention):
            nn.init.constant_(layer.gamma, 0.5)
    return generator


@pytest.mark.parametrize(("size", "frames"), [(32, 8), (32, 16), (64, 16), (128, 8), (16, 7), (8, 1)])
@pytest.mark.parametrize("recurrent", ["every", "first"])
def test_shapes_and_seeds(size: int, frames: int, recurrent: str):
    generator = make(
        size=size, frames=frames, channels=2, base_channels=4, max_channels=8, recurrent=recurrent
    )
    assert isinstance(generator, Generator)
    times = regular_times(2, frames)
    generator.check_times(times)
    latent = generator.sample_latent(2, times, rng.generator(0))
    video = generator(latent, times)
    assert video.shape == (2, 2, frames, size, size)
    assert video.abs().max() <= 1
    assert not torch.allclose(video[0], video[1])
    if frames > 1:
        assert not torch.allclose(video[:, :, 0], video[:, :, 1])
    assert torch.equal(generator.sample_latent(2, times, rng.generator(0))["z"], latent["z"])


def test_the_plan_at_64_pixels():
    with torch.device("meta"):
        generator = DVDGAN(spectral=False)
    assert [unit.channels for unit in generator.recurrences] == [512, 512, 256, 128]
    assert [(block.up, block.narrow) for block in generator.blocks] == [
        (False, 512), (True, 512), (False, 512), (True, 256), (False, 256), (True, 128), (False, 128), (True, 64),
    ]  # fmt: skip
    assert generator.first.in_features == 120
    axes = [layer.order[-2] for layer in generator.attention]
    assert axes == [3, 4, 2]  # height, width, time


@pytest.mark.parametrize("recurrent", ["every", "first"])
@pytest.mark.parametrize("spectral", [True, False])
def test_gradients_reach_every_parameter(recurrent: str, spectral: bool):
    generator = lively(classes=2, recurrent=recurrent, spectral=spectral, size=16)
    times, label = regular_times(3, 4), torch.tensor([0, 1, 1])
    video = generator(generator.sample_latent(3, times, rng.generator(0)), times, label)
    (video * torch.randn_like(video)).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_clips_do_not_leak_and_labels_are_heard():
    generator = lively(classes=2).eval()
    times, label = regular_times(2, 4), torch.tensor([0, 1])
    latent = generator.sample_latent(2, times, rng.generator(0))
    video = generator(latent, times, label)
    torch.testing.assert_close(generator({"z": latent["z"][1:]}, times[1:], label[1:]), video[1:])
    assert not torch.allclose(generator(latent, times, label.flip(0)), video)
    with pytest.raises(ValueError, match=r"generator\.classes=0"):
        generator(latent, times)
    free = lively().eval()
    assert torch.equal(free(latent, times, label), free(latent, times))


def test_statistics_of_every_frame_by_itself():
    apart, shared = make(), make(frame_statistics=False)
    assert apart.norm.norm.num_features == 4 * shared.norm.norm.num_features
    assert (apart.frames, shared.frames) == (4, None)
    for frames in (1, 6):
        times = regular_times(2, frames)
        shared.check_times(times)
        assert shared(shared.sample_latent(2, times, rng.generator(0)), times).shape[2] == frames
    with pytest.raises(
        ValueError, match=r"for 4 frames, not for 6; set clip\.frames.*frame_statistics=false"
    ):
        apart.check_times(regular_times(2, 6))


def test_longer_clips_continue_shorter_ones():
    """Without attention over time nothing in a frame knows of later ones."""
    generator = make(frame_statistics=False, attention=False).eval()
    long, short = regular_times(2, 6), regular_times(2, 3)
    latent = generator.sample_latent(2, long, rng.generator(0))
    torch.testing.assert_close(generator(latent, long)[:, :, :3], generator(latent, short))


def test_weights_are_orthogonal_and_all_norms_conditional():
    plain = make(spectral=False)
    rows = plain.recurrences[0].candidate.weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-5, rtol=0)
    assert all(
        norm.weight is None and norm.bias is None for norm in plain.modules() if isinstance(norm, BatchNorm)
    )
    normed = make(recurrent="first")
    layers = [m for m in normed.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Conv3d)]
    assert all(hasattr(layer, "parametrizations") for layer in layers)


def test_times_that_it_cannot_make():
    generator = make()
    with pytest.raises(ValueError, match="sampler=consecutive"):
        generator.check_times(torch.tensor([[0.0, 1, 2, 9]]))
    with pytest.raises(ValueError, match=r"clip\.frames=0"):
        make(frames=0)
    with pytest.raises(ValueError, match="every or first"):
        make(recurrent="last")
