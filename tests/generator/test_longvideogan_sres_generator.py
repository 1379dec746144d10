"""LongVideoGAN's super-resolution stage: counts, what it is given, and the chain of both stages."""

import pytest
import torch
from torch import Tensor

from vgen import rng
from vgen.augment.ada import AdaptiveAugment
from vgen.augment.distortion import Distortion
from vgen.augment.none import NoAugment
from vgen.clip import Clip, Generator, given_and_shown, given_part, is_given, made_clip, regular_times
from vgen.discriminator.longvideogan_sres import SuperResolutionDiscriminator
from vgen.generator.longvideogan import LongVideoGAN
from vgen.generator.longvideogan_sres import SuperResolution
from vgen.generator.vgan import VGAN
from vgen.layer.augmented import augmented
from vgen.training.chained import Chained

TINY = {"latent_dim": 4, "w_dim": 6, "base_channels": 2, "max_channels": 6, "margin": 2, "layers": 6}


def build(**changes) -> SuperResolution:
    torch.manual_seed(0)
    return SuperResolution(**TINY | {"size": 16, "small_size": 4, "context": 2} | changes)


def small_stage() -> LongVideoGAN:
    torch.manual_seed(1)
    return LongVideoGAN(
        size=8,
        base_channels=2,
        noise_channels=2,
        filters=4,
        shortest=4,
        longest=40,
        w_dim=6,
        time_doublings=2,
    ).eval()


def count(network: torch.nn.Module) -> float:
    return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2)


def test_parameters_of_the_paper():
    with torch.device("meta"):
        assert count(SuperResolution()) == 27.17
        assert count(SuperResolutionDiscriminator()) == 24.0
        assert count(SuperResolutionDiscriminator(frames=8)) == 24.0


def test_every_parameter_learns_and_a_frame_sees_its_neighbours_alone():
    generator = build(classes=2).train()
    assert isinstance(generator, Generator)
    assert is_given(generator)
    times, label = regular_times(2, 7), torch.tensor([0, 1])
    given = torch.randn(2, 3, 7, 4, 4)
    latent = generator.sample_latent(2, times, rng.generator(0)) | {"given": given}
    made = generator.decompose(latent, times, label)
    assert made["video"].shape == (2, 3, 7, 16, 16)
    assert torch.equal(made["low"], given)
    made["video"].square().sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
    generator.eval()
    with torch.no_grad():
        video = generator(latent, times, label)
        changed = given.clone()
        changed[:, :, 0] += 1
        moved = (generator(latent | {"given": changed}, times, label) - video).abs().amax((0, 1, 3, 4))
        assert (moved[:3] > 0).all()
        assert (moved[3:] == 0).all()
        assert not torch.allclose(generator(latent, times, 1 - label), video, atol=1e-4)
        other = latent | {"detail": latent["detail"].flip(0)}
        assert not torch.allclose(generator(other, times, label), video, atol=1e-4)


def test_real_clips_made_small_are_distorted_in_training_alone():
    generator = build(corruption=Distortion(p=1.0))
    video = torch.rand(2, 3, 5, 16, 16) * 2 - 1
    generator.eval()
    small = given_part(generator, video)
    assert small.shape == (2, 3, 5, 4, 4)
    assert torch.equal(small, generator.give(video))
    generator.train()
    assert not torch.allclose(generator.give(video), small, atol=1e-3)
    with pytest.raises(ValueError, match=r"corruption\.target=null"):
        build(corruption=AdaptiveAugment())
    assert not torch.allclose(
        build(corruption=AdaptiveAugment(target=None, p=1.0)).train().give(video), small, atol=1e-3
    )


def test_the_ends_of_clips_may_be_neighbours_only():
    generator = build(cut_ends=True)
    real = Clip(torch.rand(2, 3, 9, 16, 16), regular_times(2, 9))
    generator.check_times(real.times)
    given, seen = given_and_shown(generator, real)
    assert torch.equal(seen.video, real.video[:, :, 2:7])
    assert torch.equal(seen.times, real.times[:, 2:7])
    assert seen.low is not None
    torch.testing.assert_close(seen.low, generator.give(real.video)[:, :, 2:7])
    latent = generator.sample_latent(2, real.times, rng.generator(0)) | given
    given = given["given"]
    fake = made_clip(generator.decompose(latent, seen.times), seen)
    assert fake.video.shape == seen.video.shape
    assert fake.low is not None
    assert torch.equal(fake.low, given[:, :, 2:7])
    chosen = fake.select_frames(torch.tensor([[3, 0], [1, 2]]))
    assert chosen.low is not None
    assert torch.equal(chosen.low[0, :, 0], fake.low[0, :, 3])
    with pytest.raises(ValueError, match=r"none are left after 2 .* clip\.frames"):
        generator.check_times(regular_times(1, 4))
    generator.eval().check_times(regular_times(1, 1))
    assert generator(latent | {"given": given[:, :, :1]}, seen.times[:, :1]).shape[2] == 1


def test_a_discriminator_sees_the_small_frames_that_were_given():
    """Distorted as they are: made small and distorted once, for both."""
    generator = build(corruption=Distortion(p=1.0))
    real = Clip(torch.rand(2, 3, 5, 16, 16), regular_times(2, 5))
    given, seen = given_and_shown(generator, real)
    assert torch.equal(seen.low, given["given"])
    assert torch.equal(seen.video, real.video)
    assert not torch.allclose(seen.low, generator.eval().give(real.video), atol=1e-3)


def test_small_and_large_frames_are_augmented_alike():
    video = torch.rand(3, 3, 4, 16, 16)
    clip = Clip(video, regular_times(3, 4), low=video)

    class Moves:
        def __call__(self, clip: Clip) -> Clip:
            by = rng.draw_rows(clip.batch, lambda rows, rng: torch.rand(rows, generator=rng))
            return clip.with_video(clip.video + by[:, None, None, None, None])

    with rng.use_stream(rng.BatchStream(rng.generator(0))) as stream:
        moved = augmented(Moves(), clip)
        after = torch.rand(1, generator=stream.rng)
    assert moved.low is not None
    assert torch.equal(moved.low, moved.video)
    assert not torch.equal(moved.video, video)
    once = rng.generator(0)
    torch.rand(3, generator=once)
    assert torch.equal(after, torch.rand(1, generator=once))
    assert augmented(NoAugment(), Clip(video, clip.times)).low is None


def test_the_judge_sees_small_frames_now_and_then():
    torch.manual_seed(0)
    parts = {"size": 16, "small_size": 4, "frames": 3, "base_channels": 2, "max_channels": 8}
    video = torch.rand(64, 3, 3, 16, 16)
    clip = Clip(video, regular_times(64, 3), low=torch.rand(64, 3, 3, 4, 4))

    def judged(keep: float, low: Tensor | None) -> Tensor:
        torch.manual_seed(0)
        judge = SuperResolutionDiscriminator(**parts, keep=keep)
        with rng.use_stream(rng.BatchStream(rng.generator(0))):
            return judge(Clip(video, clip.times, low=low)).logits["video"]

    never, sometimes, always = (judged(keep, clip.low) for keep in (0.0, 0.3, 1.0))
    torch.testing.assert_close(never, judged(0.0, None))
    kept = (sometimes - always).abs() < 1e-5
    assert 8 < kept.sum() < 32
    torch.testing.assert_close(sometimes[~kept], never[~kept])
    assert not torch.allclose(judged(1.0, None), always, atol=1e-4)


@pytest.mark.parametrize("step", [1, 2])
def test_a_chain_in_chunks_is_the_same_video(step: int):
    chain = Chained(small_stage(), build(small_size=8), size=8, step=float(step)).eval()
    assert chain.reads_times
    assert chain.frames is None

    def make(times: Tensor) -> Tensor:
        with torch.no_grad():
            return chain(chain.sample_latent(len(times), times, rng.generator(0)), times)

    times = regular_times(2, 9) - 4
    chain.check_times(times)
    whole = make(times)
    assert whole.shape == (2, 3, 9, 16, 16)
    for length in (1, 4):
        pieces = torch.cat([make(part) for part in times.split(length, 1)], 2)
        torch.testing.assert_close(pieces, whole, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(make(times[:, ::3]), whole[:, :, ::3], atol=1e-4, rtol=1e-3)


def test_a_chain_behind_a_generator_of_one_length():
    small = VGAN(size=8, frames=4, base_channels=2, max_channels=4).eval()
    chain = Chained(small, build(small_size=8), size=8).eval()
    times = regular_times(2, 4)
    chain.check_times(times)
    assert (chain.frames, chain.reads_times) == (4, False)
    video = chain(chain.sample_latent(2, times, rng.generator(0)), times)
    assert video.shape == (2, 3, 4, 16, 16)


def test_what_is_refused():
    for arguments, message in (
        ({"small_size": 16}, "small_size=16"),
        ({"small_size": 6}, "4, 8, 16"),
        ({"context": -1}, "context=-1"),
    ):
        with pytest.raises(ValueError, match=message):
            build(**arguments)
    generator = build().eval()
    times = regular_times(1, 3)
    latent = generator.sample_latent(1, times, rng.generator(0))
    with pytest.raises(ValueError, match="given none: it needs frames of 3x4x4"):
        generator(latent, times)
    with pytest.raises(ValueError, match="not of 3x8x8"):
        generator(latent | {"given": torch.zeros(1, 3, 3, 8, 8)}, times)
    with pytest.raises(ValueError, match="frames of 4x4, not of 8x8"):
        Chained(small_stage(), generator, size=8)
    with pytest.raises(ValueError, match="enlarges no clips"):
        Chained(small_stage(), small_stage(), size=8)
    with pytest.raises(ValueError, match="knows 2 classes, not 0"):
        Chained(small_stage(), build(small_size=8, classes=2), size=8)


def test_a_chain_has_the_codes_of_its_small_generator():
    small = small_stage()
    chain = Chained(small, build(small_size=8), size=8)
    assert chain.code_values({}) == []
    small.code_values = lambda latent: [latent, latent]  # pyright: ignore
    assert len(chain.code_values({})) == 2
