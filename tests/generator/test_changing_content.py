"""Content that changes in the course of a clip: drawn in training, and for ever in samples."""

import pytest
import torch
from styled import STYLED, built, styled
from styled_training import assert_resumed_bit_for_bit
from torch import Tensor, nn

from vgen import rng
from vgen.clip import regular_times
from vgen.condition.codes import FreeCodes
from vgen.condition.conditioned import Conditioned
from vgen.layer.content_path import PATH, REACHED
from vgen.training.changing import Changing
from vgen.training.generated_clips import GeneratedClips
from vgen.training.truncated import Truncated

TIMES = regular_times(4, 3, 2)
NEVER = 2**60
READS_TIMES = [form for form in STYLED if form != "mocogan_sg2"]


@pytest.fixture(params=STYLED)
def form(request) -> str:
    return request.param


def make(generator: nn.Module, times: Tensor, seed: int = 0) -> Tensor:
    with torch.no_grad():
        return generator(generator.sample_latent(len(times), times, rng.generator(seed)), times)


@pytest.mark.parametrize("form", READS_TIMES)
def test_chunks_and_single_frames_are_the_whole_video(form: str):
    """At times before zero, between frames, and thousands of frames on; and in training as well."""
    times = torch.stack([torch.arange(12) * 0.75 - 40, torch.arange(12) * 2.5 + 3000])
    training = built(form, content_change=0.5, content_distance=6.0).requires_grad_(False)
    for module in training.modules():
        if not hasattr(module, "sample_latent"):
            module.eval()  # averages stay
    for generator in (Changing(styled(form), distance=6.0), training):
        whole = make(generator, times)
        for length in (1, 5):
            pieces = torch.cat([make(generator, part) for part in times.split(length, 1)], 2)
            torch.testing.assert_close(pieces, whole, atol=1e-3, rtol=1e-3)


def test_the_content_goes_on_from_style_to_style(form: str):
    """Painted from the styles of two contents, mixed by hand."""
    generator = styled(form)
    changing = Changing(generator, distance=8.0)
    times = regular_times(2, 5, 3.0)
    latent = changing.sample_latent(2, times, rng.generator(0))
    assert latent.keys() - generator.sample_latent(2, times, rng.generator(0)).keys() == {PATH, REACHED}
    w = changing.styles(latent, times)
    assert w.shape == (2, 5, *generator.style_shape)
    plain = {name: part for name, part in latent.items() if name not in (PATH, REACHED)}
    every = [
        generator.styles(plain | {"content": latent[PATH][:, k]}, times) for k in range(latent[PATH].shape[1])
    ]
    for clip in range(2):
        for frame, time in enumerate(times[clip].tolist()):
            position = (time * 256 - latent[REACHED][clip, 0].item()) / (8 * 256)
            left = int(position)
            mixed = every[left][clip].lerp(every[left + 1][clip], position - left)
            torch.testing.assert_close(w[clip, frame], mixed, atol=1e-5, rtol=1e-5)
    painted = changing(latent, times)
    for frame in range(5):
        still = generator(plain | {"w": w[:, frame]}, times)
        torch.testing.assert_close(painted[:, :, frame], still[:, :, frame], atol=1e-5, rtol=1e-4)


def test_the_motion_is_what_it_is_without(form: str):
    generator = styled(form)
    still = generator.sample_latent(4, TIMES, rng.generator(1))
    moving = Changing(generator, distance=8.0).sample_latent(4, TIMES, rng.generator(1))
    assert all(torch.equal(moving[name], part) for name, part in still.items())


def test_in_training_some_clips_change_and_no_other_draw_does(form: str):
    generator, plain = built(form, content_change=0.5, style_mixing=0.7), built(form, style_mixing=0.7)
    times = regular_times(64, 3, 2)
    latent, other = (g.sample_latent(64, times, rng.generator(0)) for g in (generator, plain))
    assert latent.keys() - other.keys() == {PATH, REACHED}
    assert all(torch.equal(latent[name], part) for name, part in other.items())
    kept = (latent[REACHED][:, 1:] == NEVER).all(1)
    assert 20 < kept.sum() < 44
    assert torch.equal(latent[PATH][kept, 0], latent["content"][kept])
    assert (
        generator.eval().sample_latent(4, TIMES, rng.generator(0)).keys()
        == plain.eval().sample_latent(4, TIMES, rng.generator(0)).keys()
    )


def test_clips_that_keep_their_content_are_the_clips_without(form: str):
    generator = built(form, content_change=1e-9).double()
    latent = generator.sample_latent(4, TIMES, rng.generator(0))
    latent = {name: part.double() if part.is_floating_point() else part for name, part in latent.items()}
    generator.eval()
    plain = {name: part for name, part in latent.items() if name not in (PATH, REACHED)}
    torch.testing.assert_close(generator(latent, TIMES), generator(plain, TIMES), rtol=1e-9, atol=1e-9)


def test_both_contents_learn_and_mixing_goes_on_top():
    generator = built("stylesv", content_change=1.0, content_distance=6.0, style_mixing=1.0)
    latent = generator.sample_latent(4, TIMES, rng.generator(0))
    latent[PATH].requires_grad_()
    w = generator.styles(latent, TIMES)
    for clip, layer in enumerate(latent["content_mixed_from"].tolist()):
        assert torch.equal(w[clip, :, layer:], w[clip, :1, layer:].expand_as(w[clip, :, layer:]))
        assert not torch.equal(w[clip, 0, :layer], w[clip, 2, :layer])
    generator(latent, TIMES).square().sum().backward()
    assert (latent[PATH].grad[:, :2].abs().sum(2) > 0).any(0).all()


def test_a_condition_tells_all_contents_the_same():
    generator = built("styleganv", content_change=1.0, content_distance=6.0)
    codes = FreeCodes(categories=[3], continuous=0)
    told = Conditioned(generator=generator, conditions={"codes": codes}, frames=3)
    latent = told.sample_latent(4, TIMES, rng.generator(0))
    within = told._told(latent, TIMES)
    shift = within["content"] - latent["content"]
    torch.testing.assert_close(within[PATH] - latent[PATH], shift[:, None].expand_as(latent[PATH]))
    told.eval()
    video = make(Changing(told, distance=6.0), TIMES)
    assert video.shape == (4, 3, 3, 16, 16)


def test_clips_of_a_seed_are_made_in_chunks_of_any_size():
    generator = Truncated(Changing(styled("stylesv"), distance=5.0), content=0.7, motion=0.5)
    clips = GeneratedClips(generator, count=2, times=torch.arange(30) * 1.5 - 11.0, seed=3)
    whole = clips.read([0, 1])
    pieces = torch.cat(list(clips.read_in_chunks([0, 1], 7)), 1)
    assert (pieces.int() - whole.int()).abs().max() <= 1
    assert (whole[:, 0] != whole[:, -1]).any()


def test_training_with_changes_is_resumed_bit_for_bit(tmp_path):
    def generator():
        return built("stylesv", content_change=0.5, content_distance=4.0)

    assert_resumed_bit_for_bit(generator, tmp_path, half=1)


def test_what_cannot_change_is_refused():
    for form in ("mocogan", "noise"):
        with pytest.raises(ValueError, match=r"generator\.content_change=0\.5: .* set it to 0"):
            built(form, content_change=0.5)
        with pytest.raises(ValueError, match=r"content_distance=8\.0: this generator has no style"):
            Changing(styled(form), distance=8.0)
    with pytest.raises(ValueError, match=r"generator\.content_distance=0"):
        built("styleganv", content_distance=0.0)
    with pytest.raises(ValueError, match=r"content_distance=-1"):
        Changing(styled("styleganv"), distance=-1.0)
    with pytest.raises(ValueError, match=r"generator\.content_change=2: must lie"):
        built("styleganv", content_change=2)
