"""Three streams, of appearance, of motion and of video, that grow together and are fused after every module."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vgen.clip import Latent
from vgen.layer.attention import separable_attention
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.label import one_hot
from vgen.layer.pyramid import doublings, widths
from vgen.layer.times import check_equally_spaced

Mode = Literal["1p2d", "2p1d", "3d"]


class G3AN(nn.Module):
    """Appearance and motion codes -> video (B, C, T, H, W) in [-1, 1].

    Each "G3 module" has three transposed convolutions: of appearance (1, k, k), of motion (k, 1, 1) and of video. The
    motion map is added to the video's at every position, and the appearance map stands beside it in every frame.
    Before the last module the video's map passes self-attention over time, then over space.

    Source: G3AN, Wang et al. 2020, arXiv 1912.05523, §3, and wyhsirius/g3an-project: model/networks.py, model/ops.py.

    The motion code is a short sequence: with the paper's network a code of length 1, 2, 3 gives 16, 20, 24 frames of
    64x64, so one network makes clips of many lengths. That network doubles time twice; one for shorter clips
    (`frames` below 16 or no multiple of 4) doubles it once or never, the modules from there on keeping time.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        frames: of the clips to train on; with d doublings of time it makes every multiple of 2^d from 4 * 2^d on.
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored; otherwise a one-hot label joins the appearance code
            (an addition: the paper has no classes).
        appearance_dim: width of the latent code "appearance", N(0, I).
        motion_dim: width of each entry of the latent sequence "motion", N(0, I).
        base_channels: width of the last module's streams; it doubles with every module inwards.
        max_channels: the width's limit.
        mode: the video's convolution: in time then space, in space then time, or one in both.
        attention: whether there is self-attention.
        spectral: spectral norm (one power iteration) on every weight but the last convolution's.
    """

    frames: int | None = None
    reads_times = False

    def __init__(
        self,
        *,
        size: int = 64,
        frames: int = 16,
        channels: int = 3,
        classes: int = 0,
        appearance_dim: int = 128,
        motion_dim: int = 10,
        base_channels: int = 64,
        max_channels: int = 512,
        mode: Mode = "1p2d",
        attention: bool = True,
        spectral: bool = True,
    ):
        super().__init__()
        if frames < 4:
            raise ValueError(f"clip.frames={frames}: generator=g3an makes at least 4 frames")
        if mode not in ("1p2d", "2p1d", "3d"):
            raise ValueError(f"generator.mode must be 1p2d, 2p1d or 3d, not {mode!r}")
        self.classes = classes
        self.appearance_dim = appearance_dim
        self.motion_dim = motion_dim
        count = doublings(size)
        self.time_doublings = _time_doublings(frames, min(count, 2))
        outwards = widths(count + 1, base_channels, max_channels)[::-1]
        appearance = appearance_dim + classes
        modules = [
            _Module(appearance, motion_dim, appearance + motion_dim, outwards[0], growth="first", mode=mode)
        ]
        for number, (wide, narrow) in enumerate(pairwise(outwards)):
            growth = "both" if number < self.time_doublings else "space"
            modules.append(_Module(wide, wide, 2 * wide, narrow, growth=growth, mode=mode))
        self.inner = nn.ModuleList(modules[:-1])
        fused = 2 * outwards[-2]
        self.attention = (
            separable_attention(fused, ("time",), ("height", "width")) if attention else nn.Identity()
        )
        self.last = modules[-1]
        self.to_pixels = nn.Conv3d(2 * outwards[-1], channels, (1, 3, 3), padding=(0, 1, 1))
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):  # the published code leaves transposed ones as torch has them
                nn.init.normal_(layer.weight, 0.0, 0.02)
            elif isinstance(layer, BatchNorm):
                nn.init.normal_(layer.weight, 1.0, 0.02)
        if spectral:
            for layer in [m for m in self.modules() if isinstance(m, nn.Conv3d | nn.ConvTranspose3d)]:
                if layer is not self.to_pixels:
                    spectral_norm(layer)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts "appearance" (B, appearance_dim) and "motion" (B, T / 2^d - 3, motion_dim)."""
        appearance = torch.randn(batch, self.appearance_dim, generator=rng)
        length = self._motion_length(times)
        return {
            "appearance": appearance,
            "motion": torch.randn(batch, length, self.motion_dim, generator=rng),
        }

    def check_times(self, times: Tensor) -> None:
        self._motion_length(times)
        check_equally_spaced(times, who="generator=g3an")

    def _motion_length(self, times: Tensor) -> int:
        frames, step = times.shape[1], 2**self.time_doublings
        if frames % step or frames < 4 * step:
            raise ValueError(
                f"this generator=g3an makes {4 * step}, {5 * step}, {6 * step}, ... frames, not {frames}; "
                "set clip.frames to the length you want and train it"
            )
        return frames // step - 3

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W) in [-1, 1]."""
        code, motion = latent["appearance"], latent["motion"]
        if motion.shape[1] != self._motion_length(times):
            raise ValueError(
                "the motion code was drawn for another number of frames; draw it for these times"
            )
        if self.classes:
            code = torch.cat([code, one_hot(label, self.classes, dtype=code.dtype)], 1)
        still = code[:, :, None, None, None]  # (B, C, 1, H, W) from here on
        moving = motion.transpose(1, 2)[..., None, None]  # (B, C, T, 1, 1) from here on
        video = _beside(still, moving)
        for module in self.inner:
            still, moving, video = module(still, moving, video)
        _, _, video = self.last(still, moving, self.attention(video))
        return self.to_pixels(video).tanh()


class _Module(nn.Module):
    """(appearance, motion, video) -> the same three, larger.

    `growth`: "first" makes 4x4 of a point and T + 3 steps of T, "both" doubles space and time, "space" space alone.
    """

    def __init__(self, still: int, moving: int, video: int, width: int, *, growth: str, mode: Mode):
        super().__init__()
        space = (4, 1, 0) if growth == "first" else (4, 2, 1)  # kernel, stride, padding
        time = {"first": (4, 1, 0), "both": (4, 2, 1), "space": (1, 1, 0)}[growth]
        self.still = _grow(still, width, space=space)
        self.moving = _grow(moving, width, time=time)
        if mode == "3d":
            self.video = _grow(video, width, time=time, space=space)
        elif mode == "1p2d":
            self.video = nn.Sequential(_grow(video, width, time=time), _grow(width, width, space=space))
        else:
            self.video = nn.Sequential(_grow(video, width, space=space), _grow(width, width, time=time))

    def forward(self, still: Tensor, moving: Tensor, video: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        still, moving = self.still(still), self.moving(moving)
        return still, moving, _beside(still, self.video(video) + moving)


_KEEP = (1, 1, 0)


def _grow(
    inputs: int,
    outputs: int,
    *,
    time: tuple[int, int, int] = _KEEP,
    space: tuple[int, int, int] = _KEEP,
) -> nn.Sequential:
    """Kernel, stride and padding along time, and along height and width alike."""
    kernel, stride, padding = ((t, s, s) for t, s in zip(time, space, strict=True))
    convolution = nn.ConvTranspose3d(inputs, outputs, kernel, stride=stride, padding=padding)
    return nn.Sequential(convolution, BatchNorm(outputs), nn.ReLU(inplace=True))


def _beside(still: Tensor, video: Tensor) -> Tensor:
    """The appearance map in every frame of the video's, before it along channels."""
    return torch.cat([still.expand(-1, -1, video.shape[2], -1, -1), video], 1)


def _time_doublings(frames: int, most: int) -> int:
    """How often time doubles: as often as leaves whole first maps of at least 4 steps."""
    return max(d for d in range(most + 1) if frames % 2**d == 0 and (frames >> d) >= 4)
