"""Small generators whose layers take styles, and some without."""

from functools import partial

import torch

from vgen.generator.framewise import Framewise
from vgen.generator.motion.direction import DirectionMotion
from vgen.generator.motion.fourier import FourierMotion
from vgen.generator.motion.gru import GRUMotion
from vgen.generator.motion.lowpass import LowpassMotion
from vgen.generator.motion.lstm import LSTMMotion
from vgen.generator.motion.noise import NoiseMotion
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.generator.synthesis.inr import INR
from vgen.generator.synthesis.stylegan2 import StyleGAN2
from vgen.generator.synthesis.stylegan3 import StyleGAN3

STYLE = {"size": 16, "w_dim": 8, "base_channels": 4, "max_channels": 8}
WAVES = partial(FourierMotion, motion_dim=6, noise_dim=4, kernel=3, distance=4.0, start=64.0)
FORMS = {
    "styleganv": (WAVES, partial(StyleGAN2, **STYLE)),
    "resnet": (WAVES, partial(StyleGAN2, **STYLE, architecture="resnet")),
    "mocogan_sg2": (
        partial(LSTMMotion, motion_dim=3, noise_dim=4),
        partial(StyleGAN2, **STYLE, motion_to="w"),
    ),
    "digan": (
        partial(DirectionMotion, motion_dim=3),
        partial(INR, **STYLE, waves=4, rank=2, timed=True, start_size=8),
    ),
    "stylesv": (WAVES, partial(StyleGAN3, **STYLE, layers=4, critical=2, margin=2)),
    "mocogan": (partial(GRUMotion, motion_dim=4), partial(DCGAN, size=16, base_channels=4)),
    "lowpass": (
        partial(LowpassMotion, noise_channels=2, filters=3, shortest=4.0, longest=12.0),
        partial(DCGAN, size=16, base_channels=4),
    ),
    "noise": (partial(NoiseMotion, motion_dim=4), partial(DCGAN, size=16, base_channels=4)),
}
STYLED = ("styleganv", "resnet", "mocogan_sg2", "digan", "stylesv")


def built(form: str, **changes) -> Framewise:
    """As before training."""
    torch.manual_seed(0)
    motion, synthesis = FORMS[form]
    return Framewise(motion=motion, synthesis=synthesis, content_dim=8, **changes)


def styled(form: str, **changes) -> Framewise:
    """In evaluation mode and frozen, as a trained one is."""
    generator = built(form, **changes).eval().requires_grad_(False)
    if form == "stylesv":
        torch.nn.init.ones_(generator.synthesis.mask)  # the motion, which training lets in
    return generator
