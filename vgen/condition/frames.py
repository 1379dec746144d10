"""First frames: the generator continues a clip whose beginning it is shown."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from vgen.clip import GIVEN, Latent
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.paste import paste_frames
from vgen.layer.pyramid import doublings, widths
from vgen.layer.recompute import run_stages


class FirstFrames(nn.Module):
    """The first frames of a clip -> strided convolutions -> a 4x4 map: a condition (`vgen.condition.conditioned`).

    The frames stand one behind the other in the channels, with a plane for each after the first that says how far it
    is from the first, in clips; so clips of any spacing can be continued. Convolutions have kernel 4 and stride 2,
    batch norms after all but the first, and ReLUs: the encoder of VGAN's conditional version (Vondrick et al. 2016,
    arXiv 1609.02612; cvondrick/videogan: main_conditional.lua).

    Parts that it tells: "given" (B, C, k, H, W), and "reconstruction", what the generator made of these frames.

    Args:
        frames: how many are given, k.
        clip_frames: of a clip.
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        base_channels: width after the first layer; it doubles with every layer.
        max_channels: the width's limit.
        noise: whether clips with the same beginning differ; without it, the code takes the noise's place.
        paste: whether the given frames are put into the clip instead of what was made of them, so that a discriminator
            sees the seam.
        checkpointing: keep less for the backward pass and compute it again (`vgen.layer.recompute`).

    Raises:
        ValueError: no frame is given, or none is left to make; on a call, frames of another shape or none at all.
    """

    def __init__(
        self,
        *,
        frames: int = 1,
        clip_frames: int = 16,
        size: int = 64,
        channels: int = 3,
        base_channels: int = 64,
        max_channels: int = 512,
        noise: bool = True,
        paste: bool = False,
        checkpointing: bool = False,
    ):
        super().__init__()
        if not 1 <= frames < clip_frames:
            raise ValueError(
                f"condition.frames.frames={frames}: of clips of {clip_frames} frames (clip.frames), 1 to "
                f"{clip_frames - 1} can be given"
            )
        self.given_frames = frames
        self.clip_frames = clip_frames
        self.keeps_noise = noise
        self.paste = paste
        self.checkpointing = checkpointing
        self.wanted = (channels, frames, size, size)
        inputs = frames * channels + frames - 1
        outputs = widths(doublings(size), base_channels, max_channels)
        layers: list[nn.Module] = []
        for narrow, wide in pairwise([inputs, *outputs]):
            layers.append(nn.Conv2d(narrow, wide, 4, stride=2, padding=1))
            if len(layers) > 1:
                layers.append(BatchNorm(wide, eps=1e-3))
            layers.append(nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*layers)
        self.shape = (outputs[-1], 4, 4)

    def sample(self, batch: int, rng: torch.Generator) -> Latent:
        """Nothing: the frames are given, not drawn."""
        return {}

    def forward(self, latent: Latent, times: Tensor) -> Tensor:
        """The code (B, D, 4, 4) of `latent["given"]` (B, C, k, H, W)."""
        given = self._given(latent)
        planes = given.transpose(1, 2).flatten(1, 2)  # (B, k C, H, W)
        if self.given_frames > 1:
            later = (times[:, 1 : self.given_frames] - times[:, :1]) / self.clip_frames
            distance = later.to(planes.dtype)[:, :, None, None].expand(-1, -1, *planes.shape[2:])
            planes = torch.cat([planes, distance], 1)
        return run_stages(self.layers, planes, checkpointing=self.checkpointing)

    def values(self, latent: Latent) -> list[Latent]:
        """None: what is given is not vgen's to change."""
        return []

    def finish(self, made: dict[str, Tensor], latent: Latent) -> dict[str, Tensor]:
        """`made` with "given" and "reconstruction"; its "video" begins with the given frames if they are pasted."""
        given = self._given(latent)
        video = made["video"]
        told = {GIVEN: given, "reconstruction": video[:, :, : self.given_frames]}
        if self.paste:
            told["video"] = paste_frames(video, given, made.get("frames"))
        return made | told

    def _given(self, latent: Latent) -> Tensor:
        if GIVEN not in latent:
            raise ValueError(
                f"this generator continues clips (condition=frames) and was given no frames: it needs {self._said()}"
            )
        if latent[GIVEN].shape[1:] != self.wanted:
            channels, frames, height, width = latent[GIVEN].shape[1:]
            raise ValueError(
                f"this generator (condition=frames) needs {self._said()}, not {frames} of {channels}x{height}x{width}"
            )
        return latent[GIVEN]

    def _said(self) -> str:
        channels, frames, size, _ = self.wanted
        return f"{frames} frame{'s' * (frames > 1)} of {channels}x{size}x{size}"
