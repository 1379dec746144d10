from functools import partial

import pytest
import torch

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.condition.codes import FreeCodes
from vgen.condition.conditioned import Conditioned
from vgen.generator.framewise import Framewise
from vgen.generator.motion.deconv1d import Deconv1dMotion
from vgen.generator.motion.fourier import FourierMotion
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.generator.synthesis.stylegan2 import StyleGAN2
from vgen.training.truncated import Truncated

STYLE = partial(StyleGAN2, size=8, w_dim=6, base_channels=4, max_channels=8)
WAVES = partial(FourierMotion, motion_dim=6, noise_dim=4, kernel=3)
TIMES = regular_times(2, 3, 5)


def build(motion=WAVES, synthesis=STYLE) -> Framewise:
    torch.manual_seed(0)
    generator = Framewise(motion=motion, synthesis=synthesis, content_dim=5)
    if synthesis is STYLE:
        torch.nn.init.normal_(generator.synthesis.mapping.average)
    return generator.eval()


def video(generator) -> torch.Tensor:
    with torch.no_grad():
        return generator(generator.sample_latent(2, TIMES, rng.generator(0)), TIMES)


def test_content_moves_towards_the_mean_style():
    whole = video(build())
    assert torch.equal(video(Truncated(build())), whole)
    near, mean = (video(Truncated(build(), content=psi)) for psi in (0.5, 0.0))
    assert (near - mean).abs().mean() < (whole - mean).abs().mean()
    still = build()
    w = still.synthesis.mapping.average[None, None].expand(6, still.synthesis.layers, -1)
    latent = still.sample_latent(2, TIMES, rng.generator(0))
    painted = still.synthesis.paint(w, still.motion(latent, TIMES, None).flatten(0, 1))
    torch.testing.assert_close(mean, painted.unflatten(0, (2, 3)).transpose(1, 2), atol=1e-3, rtol=1e-3)


def test_motion_is_shortened_apart_from_content():
    generator = Truncated(build(), motion=0.25)
    assert isinstance(generator, Generator)
    latent = generator.sample_latent(2, TIMES, rng.generator(0))
    drawn = build().sample_latent(2, TIMES, rng.generator(0))
    assert torch.equal(latent["content"], drawn["content"])
    assert torch.equal(latent["motion_start"], drawn["motion_start"])
    assert torch.equal(latent["motion_noise"], 0.25 * drawn["motion_noise"])
    assert (generator.reads_times, generator.frames, generator.classes) == (True, None, 0)


def test_codes_can_be_shown_of_a_truncated_generator():
    torch.manual_seed(0)
    told = Conditioned(
        generator=build(), conditions={"codes": FreeCodes(categories=[3], continuous=0)}, frames=3
    )
    near = Truncated(told.eval(), content=0.5)
    latent = near.sample_latent(2, TIMES, rng.generator(0))
    assert [row["code_categories"].tolist() for row in near.code_values(latent)] == [
        [[v], [v]] for v in range(3)
    ]
    assert Truncated(build()).code_values(latent) == []


def test_what_cannot_be_truncated():
    with pytest.raises(ValueError, match=r"truncation\.content=1\.5"):
        Truncated(build(), content=1.5)
    plain = build(synthesis=partial(DCGAN, size=8, base_channels=4))
    with pytest.raises(ValueError, match="no mapping network"):
        Truncated(plain, content=0.7)
    motionless = build(motion=partial(Deconv1dMotion, motion_dim=3, base_channels=2))
    with pytest.raises(ValueError, match="has no motion, but content"):
        Truncated(motionless, motion=0.7).sample_latent(2, regular_times(2, 16), rng.generator(0))
