"""A recurrent unit whose states are maps, and residual blocks that paint every one of them."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.attention import SelfAttention, separable_attention
from vgen.layer.conditional_norm import ConditionalBatchNorm
from vgen.layer.conv_gru import ConvGRU
from vgen.layer.init import init_orthogonal
from vgen.layer.label import one_hot
from vgen.layer.pyramid import doublings, widths
from vgen.layer.spectral import add_spectral_norm
from vgen.layer.state import with_state
from vgen.layer.times import check_equally_spaced


class DVDGAN(nn.Module):
    """z [, embedding of the class] -> video (B, C, T, H, W) in [-1, 1].

    A linear map of the code to a 4x4 map is a ConvGRU's input at every step; its states are the frames to be. Two
    residual blocks follow per resolution, the second of which doubles the frame; they see each frame by itself. Before
    the last one, self-attention runs along height, width and time, one after the other. All norms are conditional on
    the whole code.

    Source: DVD-GAN, Clark et al. 2019, arXiv 1907.06571, §3; blocks of BigGAN-deep, Brock et al. 2019, arXiv
    1809.11096, appendix B; orthogonal initialisation and spectral norm on all weights. No code and no widths were
    published, so neither the widths nor the number of parameters are the paper's. Two versions of the paper differ in
    where recurrence is; see `recurrent`.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        frames: of the clips to train on, the only length that it makes if `frame_statistics`.
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored.
        latent_dim: width of the latent code "z", N(0, I).
        embedding_dim: width of the linear embedding of the class that joins z.
        base_channels: width after the last block; it doubles with every resolution inwards.
        max_channels: the width's limit.
        recurrent: "every" puts a ConvGRU before the blocks of every resolution (the paper's later version); "first"
            has the one at 4x4 only, and self-attention over time and space together after it (its first version).
        attention: whether there is self-attention.
        frame_statistics: batch statistics of every frame by itself, as in the paper; without, they are shared over
            time and it makes clips of any length.
        spectral: spectral norm (one power iteration per pass) on every weight.
    """

    frames: int | None
    reads_times = False

    def __init__(
        self,
        *,
        size: int = 64,
        frames: int = 12,
        channels: int = 3,
        classes: int = 0,
        latent_dim: int = 120,
        embedding_dim: int = 120,
        base_channels: int = 64,
        max_channels: int = 512,
        recurrent: Literal["every", "first"] = "every",
        attention: bool = True,
        frame_statistics: bool = True,
        spectral: bool = True,
    ):
        super().__init__()
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        if recurrent not in ("every", "first"):
            raise ValueError(f"generator.recurrent must be every or first, not {recurrent!r}")
        self.classes = classes
        self.frames = frames if frame_statistics else None
        self.latent_dim = latent_dim
        self.embedding = nn.Linear(classes, embedding_dim, bias=False) if classes else None
        code_dim = latent_dim + (embedding_dim if classes else 0)
        outwards = widths(doublings(size), base_channels, max_channels)[::-1]
        wide = outwards[0]
        self.state_shape = (wide, 4, 4)
        self.first = nn.Linear(code_dim, 16 * wide)
        self.joint = nn.Identity()
        if attention and recurrent == "first":
            self.joint = SelfAttention(wide, ["time", "height", "width"])
        recurrences, blocks = [], []
        for number, narrow in enumerate(outwards):
            if number == 0 or recurrent == "every":
                recurrences.append(ConvGRU(wide, wide))
            blocks.append(_Block(wide, wide, code_dim, frames=self.frames, up=False))
            blocks.append(_Block(wide, narrow, code_dim, frames=self.frames, up=True))
            last, wide = wide, narrow
        self.recurrences = nn.ModuleList(recurrences)
        self.blocks = nn.ModuleList(blocks)
        self.attention = (
            separable_attention(last, ("height",), ("width",), ("time",)) if attention else nn.Identity()
        )
        self.norm = ConditionalBatchNorm(wide, code_dim, frames=self.frames)
        self.last = _convolution(wide, channels, 3)
        init_orthogonal(self)
        if spectral:
            add_spectral_norm(self)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "z" (B, latent_dim)."""
        return {"z": torch.randn(batch, self.latent_dim, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        self._check_length(times)
        check_equally_spaced(times, who="generator=dvdgan")

    def _check_length(self, times: Tensor) -> None:
        if self.frames not in (None, times.shape[1]):
            raise ValueError(
                f"this generator=dvdgan has statistics for {self.frames} frames, not for {times.shape[1]}; set "
                "clip.frames to the length you want, or generator.frame_statistics=false, and train it"
            )

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W) in [-1, 1]."""
        self._check_length(times)
        code = latent["z"]
        if self.embedding is not None:
            embedded = self.embedding(one_hot(label, self.classes, dtype=code.dtype))
            code = torch.cat([code, embedded], 1)
        frames = times.shape[1]
        x = with_state(self.first(code).unflatten(1, (-1, 1, 4, 4)), latent)  # (B, C, 1, 4, 4)
        for number, block in enumerate(self.blocks):
            stage, second = divmod(number, 2)
            if not second and stage < len(self.recurrences):
                x = self.recurrences[stage](x, frames)  # (B, C, T, H, W)
            if number == 0:
                x = self.joint(x)
            if number == len(self.blocks) - 1:
                x = self.attention(x)
            x = block(x, code)
        return self.last(F.relu(self.norm(x, code))).tanh()


class _Block(nn.Module):
    """Each frame: norm, ReLU, convolution, four times (1x1, 3x3, 3x3, 1x1), a quarter as wide between; may double it.

    The shortcut passes the first channels and drops the others.
    """

    def __init__(self, wide: int, narrow: int, code_dim: int, *, frames: int | None, up: bool):
        super().__init__()
        self.narrow = narrow
        self.up = up
        inner = max(wide // 4, 1)
        shapes = [(wide, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, narrow, 1)]
        self.norms = nn.ModuleList(
            ConditionalBatchNorm(inputs, code_dim, frames=frames) for inputs, _, _ in shapes
        )
        self.convolutions = nn.ModuleList(_convolution(*shape) for shape in shapes)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        y = x
        for number, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
            y = F.relu(norm(y, code))
            y = convolution(_double(y) if self.up and number == 1 else y)
        shortcut = x[:, : self.narrow]
        return y + (_double(shortcut) if self.up else shortcut)


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv3d:
    """Of each frame of (B, C, T, H, W) by itself."""
    return nn.Conv3d(inputs, outputs, (1, kernel, kernel), padding=(0, kernel // 2, kernel // 2))


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=(1.0, 2.0, 2.0), mode="nearest")
