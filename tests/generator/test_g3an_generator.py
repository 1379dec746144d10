import pytest
import torch

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.generator.g3an import G3AN
from vgen.layer.attention import SelfAttention


def make(**arguments) -> G3AN:
    torch.manual_seed(0)
    small = {"size": 8, "frames": 8, "appearance_dim": 6, "motion_dim": 3, "base_channels": 4}
    return G3AN(**small | arguments)


def lively(**arguments) -> G3AN:
    """With its attention switched on."""
    generator = make(**arguments)
    for layer in generator.modules():
        if isinstance(layer, SelfAttention):
            torch.nn.init.constant_(layer.gamma, 0.5)
    return generator


@pytest.mark.parametrize(
    ("arguments", "count", "millions"),
    [({"attention": False, "spectral": False}, 22_925_955, 22.93), ({"spectral": False}, 23_090_437, 23.09)],
)
def test_parameters_of_the_paper(arguments: dict, count: int, millions: float):
    with torch.device("meta"):
        generator = G3AN(**arguments)
    found = sum(parameter.numel() for parameter in generator.parameters())
    assert found == count
    assert round(found / 1e6, 2) == millions


def test_spectral_norm_adds_no_parameters():
    plain, normed = (sum(p.numel() for p in make(spectral=on).parameters()) for on in (False, True))
    assert plain == normed


def test_the_length_of_the_motion_code_sets_that_of_the_clip():
    generator = make(size=16, frames=16, base_channels=2)
    for length, frames in ((1, 16), (2, 20), (3, 24)):
        times = regular_times(1, frames)
        generator.check_times(times)
        latent = generator.sample_latent(1, times, rng.generator(0))
        assert latent["motion"].shape == (1, length, 3)
        assert generator(latent, times).shape == (1, 3, frames, 16, 16)


@pytest.mark.parametrize(
    ("size", "frames", "doublings"),
    [(32, 8, 1), (32, 16, 2), (64, 16, 2), (128, 8, 1), (16, 7, 0), (8, 4, 0), (8, 16, 1)],
)
def test_shapes_and_seeds(size: int, frames: int, doublings: int):
    generator = make(size=size, frames=frames, channels=2, base_channels=2, max_channels=4)
    assert isinstance(generator, Generator)
    assert generator.time_doublings == doublings
    times = regular_times(2, frames)
    generator.check_times(times)
    latent = generator.sample_latent(2, times, rng.generator(0))
    video = generator(latent, times)
    assert video.shape == (2, 2, frames, size, size)
    assert video.abs().max() <= 1
    assert not torch.allclose(video[0], video[1])
    assert not torch.allclose(video[:, :, 0], video[:, :, -1])
    again = generator.sample_latent(2, times, rng.generator(0))
    assert all(torch.equal(again[name], latent[name]) for name in ("appearance", "motion"))


@pytest.mark.parametrize("mode", ["1p2d", "2p1d", "3d"])
def test_gradients_reach_every_parameter(mode: str):
    generator = lively(classes=2, mode=mode, base_channels=8)
    times, label = regular_times(3, 8), torch.tensor([0, 1, 1])
    video = generator(generator.sample_latent(3, times, rng.generator(0)), times, label)
    (video * torch.randn_like(video)).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_streams_say_what_they_are_called_after():
    generator = lively(attention=False).eval()
    times = regular_times(2, 8)
    latent = generator.sample_latent(2, times, rng.generator(0))
    seen = {}
    generator.last.still.register_forward_hook(lambda *call: seen.update(still=call[-1]))
    generator.last.moving.register_forward_hook(lambda *call: seen.update(moving=call[-1]))
    generator(latent, times)
    assert seen["still"].shape[2:] == (1, 8, 8)
    assert seen["moving"].shape[2:] == (8, 1, 1)
    before = dict(seen)
    generator(latent | {"motion": latent["motion"].flip(0)}, times)
    assert torch.equal(seen["still"], before["still"])
    assert not torch.equal(seen["moving"], before["moving"])


def test_clips_do_not_leak_and_labels_are_heard():
    generator = lively(classes=2).eval()
    times, label = regular_times(2, 8), torch.tensor([0, 1])
    latent = generator.sample_latent(2, times, rng.generator(0))
    video = generator(latent, times, label)
    rest = {name: part[1:] for name, part in latent.items()}
    torch.testing.assert_close(generator(rest, times[1:], label[1:]), video[1:])
    assert not torch.allclose(generator(latent, times, label.flip(0)), video)
    with pytest.raises(ValueError, match=r"generator\.classes=0"):
        generator(latent, times)
    free = lively().eval()
    assert torch.equal(free(latent, times, label), free(latent, times))


def test_spectral_norm_bounds_every_stream():
    generator = make(frames=4)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("weight.original"):
                parameter *= 5
    times = regular_times(2, 4)
    for _ in range(20):
        generator(generator.sample_latent(2, times, rng.generator(0)), times)
    for module in (*generator.inner, generator.last):
        for stream in (module.still[0], module.moving[0], module.video[0][0], module.video[1][0]):
            assert torch.linalg.matrix_norm(stream.weight.transpose(0, 1).flatten(1), 2) < 1.05


def test_what_it_cannot_make():
    generator = make(frames=16, size=16)
    with pytest.raises(ValueError, match=r"makes 16, 20, 24, \.\.\. frames, not 18; set clip\.frames"):
        generator.check_times(regular_times(2, 18))
    with pytest.raises(ValueError, match="not 12"):
        generator.check_times(regular_times(2, 12))
    with pytest.raises(ValueError, match="sampler=consecutive"):
        make(frames=4).check_times(torch.tensor([[0.0, 1, 2, 9]]))
    latent = generator.sample_latent(2, regular_times(2, 16), rng.generator(0))
    with pytest.raises(ValueError, match="another number of frames"):
        generator(latent, regular_times(2, 20))
    with pytest.raises(ValueError, match=r"clip\.frames=3"):
        make(frames=3)
    with pytest.raises(ValueError, match="1p2d, 2p1d or 3d"):
        make(mode="4d")
