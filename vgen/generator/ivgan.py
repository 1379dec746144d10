"""One stream of 3-D transposed convolutions, without VGAN's still background."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.growth import grow, halved_lengths
from vgen.layer.init import init_both_fans
from vgen.layer.label import one_hot
from vgen.layer.pyramid import doublings, widths
from vgen.layer.state import with_state
from vgen.layer.times import check_equally_spaced, check_length


class IVGAN(nn.Module):
    """z -> linear map to (512, 2, 4, 4) -> 3-D transposed convolutions -> video (B, C, T, H, W) in [-1, 1].

    Source: iVGAN, Kratzwald et al. 2017, arXiv 1711.11453, and bernhard2202/improved-video-gan:
    model/improved_video_gan.py, utils/layers.py. Batch norm has offsets but no gains and eps 1e-3, as TensorFlow's
    default there; convolutions start uniform, of variance 4 / (fan in + fan out), the linear map N(0, 0.01).

    With 32 frames of 64x64 this is the paper's network. Other lengths follow the same plan as far as they can be
    halved (see `vgen.generator.vgan`). Its networks for prediction, colourisation and inpainting, which start from a
    video, are left out.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        frames: the only length that it makes.
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored; otherwise a one-hot label joins the latent code
            (an addition: the paper has no classes).
        latent_dim: width of the latent code "z", N(0, I).
        base_channels: width before the last layer; it doubles with every layer inwards.
        max_channels: the width's limit.
    """

    frames: int | None
    reads_times = False

    def __init__(
        self,
        *,
        size: int = 64,
        frames: int = 32,
        channels: int = 3,
        classes: int = 0,
        latent_dim: int = 100,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        self.classes = classes
        self.frames = frames
        self.latent_dim = latent_dim
        outwards = widths(doublings(size), base_channels, max_channels)[::-1]
        lengths = halved_lengths(frames, len(outwards))
        self.first_shape = (outwards[0], lengths[0], 4, 4)
        self.state_shape = (outwards[0], 4, 4)
        self.first = nn.Linear(latent_dim + classes, math.prod(self.first_shape))
        layers = _norm(outwards[0])
        for (wide, narrow), (before, after) in zip(pairwise(outwards), pairwise(lengths), strict=False):
            layers += [grow(wide, narrow, before, after), *_norm(narrow)]
        self.layers = nn.Sequential(*layers, grow(outwards[-1], channels, *lengths[-2:]), nn.Tanh())
        nn.init.normal_(self.first.weight, std=0.01)
        nn.init.zeros_(self.first.bias)
        init_both_fans(self.layers)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "z" (B, latent_dim)."""
        return {"z": torch.randn(batch, self.latent_dim, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        check_length(times, self.frames, who="generator=ivgan")
        check_equally_spaced(times, who="generator=ivgan")

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W) in [-1, 1]."""
        check_length(times, self.frames, who="generator=ivgan")
        code = latent["z"]
        if self.classes:
            code = torch.cat([code, one_hot(label, self.classes, dtype=code.dtype)], 1)
        return self.layers(with_state(self.first(code).unflatten(1, self.first_shape), latent))


def _norm(channels: int) -> list[nn.Module]:
    return [BatchNorm(channels, eps=1e-3, gain=False), nn.ReLU(inplace=True)]
