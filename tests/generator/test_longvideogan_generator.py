"""LongVideoGAN's low-resolution generator: its count, its levels of time, and one video however it is cut."""

import pytest
import torch
from torch import Tensor

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.generator.longvideogan import LongVideoGAN, _blocks

SMALL = {"noise_channels": 2, "filters": 4, "shortest": 4.0, "longest": 40.0, "w_dim": 6}


def build(**changes) -> LongVideoGAN:
    torch.manual_seed(0)
    return LongVideoGAN(**SMALL | {"size": 16, "base_channels": 2, "time_doublings": 3} | changes).eval()


def make(generator: LongVideoGAN, times: Tensor, seed: int = 0) -> Tensor:
    with torch.no_grad():
        return generator(generator.sample_latent(len(times), times, rng.generator(seed)), times)


def test_parameters_of_the_paper():
    with torch.device("meta"):
        generator = LongVideoGAN()
    count = sum(parameter.numel() for parameter in generator.parameters())
    assert round(count / 1e6, 2) == 83.22
    # of frames of 36x64, whose first map is 3x4
    assert count - 512 * (16 - 12) == 83_215_939
    assert _blocks([512, 512, 256, 128, 64]) == [
        (512, 512, False), (512, 512, True), (512, 512, False), (512, 512, True), (512, 256, False), (256, 256, False),
        (256, 128, True), (128, 128, False), (128, 64, True), (64, 64, False),
    ]  # fmt: skip


@pytest.mark.parametrize("doublings", [1, 3, 5])
def test_whole_in_chunks_and_frame_by_frame_are_the_same_video(doublings: int):
    """At times before zero, thousands of frames on, and with gaps."""
    generator = build(size=8, time_doublings=doublings)
    for times in (torch.arange(12) - 40.0, torch.arange(12) * 3 + 3000.0):
        times = times.expand(2, -1)
        generator.check_times(times)
        whole = make(generator, times)
        assert whole.shape == (2, 3, 12, 8, 8)
        assert not torch.allclose(whole[:, :, 0], whole[:, :, 1], atol=1e-3)
        for length in (1, 5):
            pieces = torch.cat([make(generator, part) for part in times.split(length, 1)], 2)
            torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(make(generator, times, seed=1), whole, atol=1e-3)


def test_clips_drawn_one_by_one_stand_side_by_side():
    """Wherever between two frames of the coarsest level each begins."""
    generator = build(size=8)
    times = regular_times(1, 9)
    drawn = [generator.sample_latent(1, times, rng.generator(seed)) for seed in range(8)]
    assert len({int(latent["motion_start"]) for latent in drawn}) > 4
    together = {part: torch.cat([latent[part] for latent in drawn]) for part in drawn[0]}
    with torch.no_grad():
        expected = torch.cat([generator(latent, times) for latent in drawn])
        torch.testing.assert_close(generator(together, times.expand(8, -1)), expected, atol=1e-5, rtol=1e-4)


def test_memory_does_not_grow_with_time():
    generator = build()
    near, far = (generator.sample_latent(1, regular_times(1, 8) + at, rng.generator(0)) for at in (0, 1e5))
    assert {name: part.shape for name, part in near.items()} == {
        name: part.shape for name, part in far.items()
    }


def test_frames_lie_at_multiples_of_the_step():
    generator = build(size=8, step=4)
    times = regular_times(1, 6, stride=4)
    torch.testing.assert_close(make(generator, times), make(build(size=8), times / 4))
    generator.check_times(times - 400)
    with pytest.raises(ValueError, match=r"multiples of 4 .* not at \[0\.0, 1\.0"):
        generator.check_times(regular_times(1, 6))
    with pytest.raises(ValueError, match="multiples of 1 "):
        build().check_times(regular_times(1, 6, stride=0.5))
    latent = generator.sample_latent(1, times, rng.generator(0))
    with pytest.raises(ValueError, match="drawn for other times"):
        generator(latent, times + 400)


def test_every_parameter_learns_and_the_label_content_and_state_are_heard():
    generator = build(classes=2, content_dim=3, time_doublings=2).train()
    assert isinstance(generator, Generator)
    times, label = regular_times(3, 7), torch.tensor([0, 1, 1])
    latent = generator.sample_latent(3, times, rng.generator(0))
    generator(latent, times, label).square().sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    generator.eval()
    with torch.no_grad():
        video = generator(latent, times, label)
        alone = generator({name: part[1:2] for name, part in latent.items()}, times[1:2], label[1:2])
        torch.testing.assert_close(alone, video[1:2], atol=1e-5, rtol=1e-4)
        assert not torch.allclose(generator(latent, times, 1 - label), video, atol=1e-4)
        other = latent | {"content": latent["content"].flip(0)}
        assert not torch.allclose(generator(other, times, label), video, atol=1e-4)
        told = latent | {"state": torch.ones(3, *generator.state_shape)}
        assert not torch.allclose(generator(told, times, label), video, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"time_doublings": 0}, "time_doublings=0"), ({"time_doublings": 6}, "1 to 5"), ({"step": 0}, "step=0")],
)
def test_what_is_refused(arguments: dict[str, int], message: str):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
