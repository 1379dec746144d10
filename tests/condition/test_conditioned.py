"""Every generator can be told something: the code enters, noise stays noise, and frames that are given are read."""

import pytest
import torch
from test_config import TINY, build, compose, options
from toy import ToyGenerator

from vgen import rng
from vgen.cli.conditioned import build_generator
from vgen.clip import Generator, given_frames, regular_times
from vgen.condition.conditioned import Conditioned
from vgen.condition.frames import FirstFrames
from vgen.config import ConfigError

FRAMES, SIZE = 8, 16
TIMES = regular_times(2, FRAMES)
UNFIT = ("tgan", "longvideogan_sres")  # the latter is given small clips, and cannot be given first frames too
ROOM = {"longvideogan": ("generator.content_dim=4",)}  # keys that give a condition something to enter


def make(generator: str, *overrides: str) -> Conditioned:
    torch.manual_seed(0)
    config = compose(
        *TINY, f"generator={generator}", "condition=frames", "clip.frames=8", "width=4", *overrides
    )
    return build_generator(config)


def draw(generator: Conditioned, seed: int = 0, given: int = 1) -> dict[str, torch.Tensor]:
    drawn = generator.sample_latent(2, TIMES, rng.generator(seed))
    frames = 2 * torch.rand(2, 3, given, SIZE, SIZE, generator=rng.generator(given, "given")) - 1
    return drawn | {"given": frames}


def doubled(latent: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: part.double() if part.is_floating_point() else part for name, part in latent.items()}


@pytest.mark.parametrize("name", [n for n in options()["generator"] if n not in UNFIT])
def test_every_generator_continues_frames(name: str) -> None:
    # In double precision, for a convolution's rounding may depend on how many clips there are.
    generator = make(name, *ROOM.get(name, ())).eval().double()
    assert isinstance(generator, Generator)
    assert given_frames(generator) == 1
    generator.check_times(TIMES)
    latent, redrawn = (doubled(draw(generator, seed)) for seed in (0, 1))
    label = None
    parts = generator.decompose(latent, TIMES, label)
    video = parts["video"]
    assert video.shape == (2, 3, FRAMES, SIZE, SIZE)
    assert torch.equal(generator(latent, TIMES, label), video)
    assert torch.equal(parts["given"], latent["given"])
    assert torch.equal(parts["reconstruction"], video[:, :, :1])
    other = generator(latent | {"given": latent["given"].flip(0)}, TIMES, label)
    assert not torch.allclose(other, video, atol=1e-4), "what is given is not read"
    again = generator(redrawn, TIMES, label)
    assert not torch.allclose(again, video, atol=1e-4), "noise is not read"
    single = {part: value[1:] for part, value in latent.items()}
    torch.testing.assert_close(generator(single, TIMES[1:], label), video[1:])


@pytest.mark.parametrize("name", ["mocogan", "vgan", "r3gan3d"])
def test_gradients_reach_the_encoder_and_the_generator(name: str) -> None:
    generator = make(name)
    (generator(draw(generator), TIMES) * torch.randn(2, 3, FRAMES, SIZE, SIZE)).sum().backward()
    for key, parameter in generator.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


def test_pasted_frames_are_the_given_ones() -> None:
    kept, pasted = (make("vgan", f"condition.frames.paste={paste}").eval() for paste in ("false", "true"))
    latent = draw(pasted)
    made = pasted.decompose(latent, TIMES)
    assert torch.equal(made["video"][:, :, :1], latent["given"])
    before = kept.decompose(latent, TIMES)
    assert torch.equal(made["video"][:, :, 1:], before["video"][:, :, 1:])
    assert torch.equal(made["reconstruction"], before["video"][:, :, :1])
    assert {"mask", "background"} <= made.keys()


def test_without_noise_the_frames_decide_alone() -> None:
    generator = make("vgan", "condition.frames.noise=false").eval()
    one, two = (generator(draw(generator, seed=seed), TIMES) for seed in (0, 1))
    assert torch.equal(one, two)


def test_noise_that_a_code_replaces_is_no_part_of_the_latent() -> None:
    """Terms that move, compare or differentiate a latent must not count numbers that nothing reads."""
    for name, part in (("mocogan", "content"), ("stylesv", "content"), ("r3gan3d", "z")):
        with_noise, without = (make(name, f"condition.frames.noise={noise}") for noise in ("true", "false"))
        assert draw(with_noise).keys() - draw(without).keys() >= {part}
        latent = draw(without)
        numbers = {n: p.requires_grad_() for n, p in latent.items() if p.is_floating_point() and n != "given"}
        without(latent, TIMES).square().sum().backward()
        assert all(number.grad is not None for number in numbers.values())


@pytest.mark.parametrize("term", ["path_length", "mode_seeking", "latent_consistency"])
def test_terms_of_the_noise_are_refused_without_noise(term: str) -> None:
    keys = ("generator=vgan", "condition=frames", "condition.frames.noise=false", f"regularizer={term}")
    with pytest.raises(ValueError, match=r"needs a latent of numbers.* condition\.frames\.noise=true"):
        build(*keys, "width=4")
    build("generator=mocogan", *keys[1:], "width=4")  # its motion is noise still


def test_spacing_of_several_frames_is_read() -> None:
    generator = make("framewise", "condition.frames.frames=3", "generator/motion=static").eval()
    latent = draw(generator, given=3)
    assert not torch.allclose(generator(latent, TIMES), generator(latent, 4 * TIMES), atol=1e-5)


def test_noise_at_anchors_is_no_part_of_one_shape_however_short_the_clips_are() -> None:
    generator = make("styleganv", "clip.frames=3", "sampler=sparse").eval()
    assert set(generator.shapes) == {"content"}
    times = regular_times(2, 3, 20)
    latent = generator.sample_latent(2, times, rng.generator(0)) | {"given": draw(generator)["given"]}
    assert generator(latent, times).shape == (2, 3, 3, SIZE, SIZE)


def test_checkpointing_changes_no_number() -> None:
    plain, spared = (make("vgan", f"condition.frames.checkpointing={on}") for on in ("false", "true"))
    latent, gradients = draw(plain), []
    for generator in (plain, spared):
        generator.decompose(latent, TIMES)["video"].square().sum().backward()
        gradients.append([p.grad for p in generator.parameters()])
    for one, two in zip(*gradients, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("frames", [0, 8])
def test_as_many_frames_as_a_clip_has_are_refused(frames: int) -> None:
    with pytest.raises(ConfigError, match=r"of clips of 8 frames \(clip.frames\), 1 to 7 can be given"):
        make("vgan", f"condition.frames.frames={frames}")


def test_frames_that_are_missing_or_of_another_shape_are_refused() -> None:
    generator = make("mocogan")
    latent = draw(generator)
    with pytest.raises(ValueError, match="needs 1 frame of 3x16x16"):
        generator({name: part for name, part in latent.items() if name != "given"}, TIMES)
    with pytest.raises(ValueError, match="not 2 of 3x16x16"):
        generator(latent | draw(generator, given=2), TIMES)
    with pytest.raises(ValueError, match="a clip has at least 2"):
        generator.check_times(TIMES[:, :1])


def test_a_generator_without_noise_of_one_shape_is_refused() -> None:
    class OnlyMotion(ToyGenerator):
        def sample_latent(self, batch, times, rng):
            return {"motion": torch.randn(batch, times.shape[1], 3, generator=rng)}

    with pytest.raises(ValueError, match="condition=none"):
        Conditioned(generator=OnlyMotion(), conditions={"frames": FirstFrames(size=8)}, frames=4)
