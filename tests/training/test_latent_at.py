from collections.abc import Callable
from functools import partial

import pytest
import torch
from styled import FORMS, styled
from torch import nn

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.framewise import Framewise
from vgen.generator.g3an import G3AN
from vgen.generator.longvideogan import LongVideoGAN
from vgen.generator.motion.lowpass import LowpassMotion
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.training.latent_at import latent_at

KNOWN = regular_times(1, 6)
READS_TIMES = ("styleganv", "digan", "noise", "lowpass")


def make(generator, latent, times):
    with torch.no_grad():
        return generator(latent, times)


@pytest.mark.parametrize("form", FORMS)
def test_a_longer_clip_begins_as_the_known_one_and_goes_on_by_the_seed(form: str):
    generator = styled(form)
    latent = generator.sample_latent(1, KNOWN, rng.generator(0))
    longer = regular_times(1, 20)
    first, other = (latent_at(generator, latent, KNOWN[0], longer, rng.generator(seed)) for seed in (1, 2))
    video = make(generator, latent, KNOWN)
    moved = make(generator, first, longer)
    assert moved.shape[2] == 20
    # Beyond the last two anchors the convolutions see noise that the known clip has not drawn.
    torch.testing.assert_close(moved[:, :, :6], video, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(
        make(generator, latent_at(generator, latent, KNOWN[0], longer, rng.generator(1)), longer), moved
    )
    if any(n.startswith("motion_noise") for n in latent):
        assert not torch.allclose(make(generator, other, longer), moved)
    shorter = latent_at(generator, first, longer[0], KNOWN, rng.generator(5))
    torch.testing.assert_close(make(generator, shorter, KNOWN), video, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("form", READS_TIMES)
def test_chunks_of_a_recalled_clip_are_those_of_the_whole(form: str):
    generator = styled(form)
    latent = generator.sample_latent(1, KNOWN, rng.generator(0))
    whole = regular_times(1, 30) - 10.5
    together = make(generator, latent_at(generator, latent, KNOWN[0], whole, rng.generator(1)), whole)
    parts = [
        make(generator, latent_at(generator, latent, KNOWN[0], times, rng.generator(1)), times)
        for times in whole.split(7, 1)
    ]
    torch.testing.assert_close(torch.cat(parts, 2), together, atol=2e-4, rtol=1e-3)


def test_noise_that_is_coarser_than_frames_goes_on():
    torch.manual_seed(0)
    generator = G3AN(size=64, base_channels=2).eval()
    latent = generator.sample_latent(1, regular_times(1, 16), rng.generator(0))
    longer = regular_times(1, 24)
    moved = latent_at(generator, latent, regular_times(1, 16)[0], longer, rng.generator(1))
    assert torch.equal(moved["appearance"], latent["appearance"])
    assert torch.equal(moved["motion"][:, : latent["motion"].shape[1]], latent["motion"])
    assert make(generator, moved, longer).shape[2] == 24


def lowpass() -> Framewise:
    motion = partial(LowpassMotion, noise_channels=2, filters=3, shortest=4.0, longest=20.0)
    return Framewise(motion=motion, synthesis=partial(DCGAN, size=16, base_channels=4), content_dim=8)


def longvideogan() -> LongVideoGAN:
    return LongVideoGAN(
        size=8, base_channels=2, noise_channels=2, filters=3, shortest=4.0, longest=20.0, w_dim=6, time_doublings=2
    )  # fmt: skip


@pytest.mark.parametrize("build", [lowpass, longvideogan])
def test_low_pass_noise_goes_on_in_both_directions(build: Callable[[], nn.Module]):
    torch.manual_seed(0)
    generator = build().eval()
    latent = generator.sample_latent(1, KNOWN, rng.generator(3))
    video = make(generator, latent, KNOWN)
    whole = regular_times(1, 80) - 30
    together = make(generator, latent_at(generator, latent, KNOWN[0], whole, rng.generator(1)), whole)
    torch.testing.assert_close(together[:, :, 30:36], video, atol=1e-5, rtol=1e-4)
    parts = [
        make(generator, latent_at(generator, latent, KNOWN[0], times, rng.generator(1)), times)
        for times in whole.split(23, 1)
    ]
    torch.testing.assert_close(torch.cat(parts, 2), together, atol=1e-5, rtol=1e-4)
    other = make(generator, latent_at(generator, latent, KNOWN[0], whole, rng.generator(2)), whole)
    assert not torch.allclose(other, together, atol=1e-3)


def test_rows_of_a_batch_share_what_is_known():
    generator = styled("styleganv")
    latent = generator.sample_latent(1, KNOWN, rng.generator(0))
    rows = latent_at(generator, latent, KNOWN[0], regular_times(3, 6), rng.generator(1))
    assert all(len(part) == 3 for part in rows.values())
    assert torch.equal(rows["motion_noise"][0], rows["motion_noise"][2])


def test_a_time_line_that_filters_look_back_on_goes_on_in_chunks():
    torch.manual_seed(0)
    generator = LongVideoGAN(
        size=8, noise_channels=2, filters=3, shortest=4.0, longest=12.0, w_dim=6, base_channels=2,
        time_doublings=2, content_dim=3,
    ).eval()  # fmt: skip
    latent = generator.sample_latent(1, KNOWN, rng.generator(0))
    whole = regular_times(1, 30) - 10

    def at(times):
        return make(generator, latent_at(generator, latent, KNOWN[0], times, rng.generator(1)), times)

    together = at(whole)
    torch.testing.assert_close(at(KNOWN), make(generator, latent, KNOWN))
    torch.testing.assert_close(
        torch.cat([at(times) for times in whole.split(7, 1)], 2), together, atol=2e-4, rtol=1e-3
    )
    moved = latent_at(generator, latent, KNOWN[0], whole, rng.generator(1))
    begin = int(latent["motion_first"] - moved["motion_first"])
    there = latent["motion_noise"]
    assert torch.equal(moved["motion_noise"][:, begin : begin + there.shape[1]], there)
    assert torch.equal(moved["content"], latent["content"])
