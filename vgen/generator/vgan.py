"""Two streams: a moving foreground over a still background, joined by a mask."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.growth import grow, halved_lengths
from vgen.layer.init import init_normal
from vgen.layer.label import one_hot
from vgen.layer.pyramid import doublings, widths
from vgen.layer.recompute import run_stages
from vgen.layer.times import check_equally_spaced, check_length


class VGAN(nn.Module):
    """video = mask * foreground + (1 - mask) * background (VGAN, Vondrick et al. 2016, arXiv 1609.02612, §2).

    With 32 frames of 64x64 this is the paper's network: the foreground grows from (2, 4, 4) by doubling time
    and space together. Other lengths follow the same plan as far as they can be halved: time doubles with
    space in the last layers, while the first ones keep it (temporal kernel 3). A multiple of size/4 frames
    doubles in every layer, as in the paper.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        frames: the only length that it makes.
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored; otherwise a one-hot label joins the latent
            code (an addition: the paper's conditional network starts from a frame instead).
        latent_dim: width of the latent code "z", N(0, I).
        base_channels: width before the last layers; it doubles with every layer inwards.
        max_channels: the width's limit.
        checkpointing: keep less for the backward pass and compute it again (`vgen.layer.recompute`).
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
        checkpointing: bool = False,
    ):
        super().__init__()
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        self.classes = classes
        self.frames = frames
        self.latent_dim = latent_dim
        self.checkpointing = checkpointing
        code_dim = latent_dim + classes
        width, *rest = reversed(widths(doublings(size), base_channels, max_channels))
        self.state_shape = (width, 4, 4)
        lengths = halved_lengths(frames, 1 + len(rest))

        still = _block(nn.ConvTranspose2d(code_dim, width, 4), width)
        moving = _block(nn.ConvTranspose3d(code_dim, width, (lengths[0], 4, 4)), width)
        for narrower, before, after in zip(rest, lengths, lengths[1:], strict=False):
            still += _block(nn.ConvTranspose2d(width, narrower, 4, stride=2, padding=1), narrower)
            moving += _block(grow(width, narrower, before, after), narrower)
            width = narrower
        before, after = lengths[-2:]
        still += [nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1), nn.Tanh()]
        self.background = nn.Sequential(*still)
        self.trunk = nn.Sequential(*moving)
        self.foreground = nn.Sequential(grow(width, channels, before, after), nn.Tanh())
        self.mask = nn.Sequential(grow(width, 1, before, after), nn.Sigmoid())
        init_normal(self, std=0.01, gain_std=0.02)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "z" (B, latent_dim)."""
        return {"z": torch.randn(batch, self.latent_dim, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        check_length(times, self.frames, who="generator=vgan")
        check_equally_spaced(times, who="generator=vgan")

    def decompose(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """All that the video is made of.

        Returns:
            "video", "foreground", "background": (B, C, T, H, W) in [-1, 1]; the background is still.
            "mask": (B, 1, T, H, W) in [0, 1], 1 where the foreground shows.
        """
        check_length(times, self.frames, who="generator=vgan")
        code = latent["z"]
        if self.classes:
            code = torch.cat([code, one_hot(label, self.classes, dtype=code.dtype)], 1)
        moving = self._grow(self.trunk, code[:, :, None, None, None], latent)
        foreground, mask = self._run(self.foreground, moving), self._run(self.mask, moving)
        still = self._grow(self.background, code[:, :, None, None], latent)  # (B, C, H, W)
        background = still[:, :, None].expand_as(foreground)
        video = mask * foreground + (1 - mask) * background
        return {"video": video, "foreground": foreground, "background": background, "mask": mask}

    def _grow(self, layers: nn.Sequential, code: Tensor, latent: Latent) -> Tensor:
        """A stream from its first map on, which a state joins."""
        if "state" not in latent:
            return self._run(layers, code)
        state = latent["state"] if code.dim() == 4 else latent["state"][:, :, None]
        first, *rest = layers
        return self._run(nn.Sequential(*rest), first(code) + state)

    def _run(self, layers: nn.Sequential, x: Tensor) -> Tensor:
        return run_stages(layers, x, checkpointing=self.checkpointing)

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W) in [-1, 1]."""
        return self.decompose(latent, times, label)["video"]


def _block(convolution: nn.Module, channels: int) -> list[nn.Module]:
    return [convolution, BatchNorm(channels), nn.ReLU(inplace=True)]
