"""A ConvLSTM that is told what to do once, and residual blocks that paint each of its states."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.conditional_norm import ConditionalBatchNorm
from vgen.layer.conv_lstm import ConvLSTM
from vgen.layer.label import one_hot
from vgen.layer.pyramid import doublings, widths
from vgen.layer.state import with_state
from vgen.layer.times import check_equally_spaced


class TGANv2(nn.Module):
    """z -> a 4x4 map, the ConvLSTM's first input -> its states, one a frame -> residual blocks -> video in [-1, 1].

    Source: TGANv2, Saito et al. 2020, arXiv 1811.09245, §4, and pfnet-research/tgan2:
    tgan2/models/generators/multi_tgan_clstm_generator.py, tgan2/models/resblocks.py. Frames of 256x256 with
    `base_channels` 32 pass the paper's blocks: 512, 256, 128, 64, 32 and 32 channels after a ConvLSTM of 1024.

    A simplification: this is its network as it is used after training, dense in time. The paper trains four renderers,
    after the third block and each later one, and hands every second frame, at a random phase, from one level to the
    next, which saves memory; a clip of vgen has one resolution and one length, so here all frames pass all blocks, and
    there is the last renderer alone. A discriminator of several levels can still look at fewer frames the larger they
    are.

    Args:
        size: height and width of a frame: 8, 16, 32, ... (4x4 first maps; the paper's 192x192 starts from 3x3).
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored; otherwise every norm has gains and offsets of each
            class, an option of the published code.
        latent_dim: width of the latent code "z", U(-1, 1).
        base_channels: width of the last two blocks; it doubles with every block inwards, and once more to the ConvLSTM.
        max_channels: the width's limit.
    """

    frames: int | None = None
    reads_times = False

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        classes: int = 0,
        latent_dim: int = 256,
        base_channels: int = 32,
        max_channels: int = 1024,
    ):
        super().__init__()
        self.classes = classes
        self.latent_dim = latent_dim
        count = doublings(size)
        wide, *rest = [base_channels, *widths(count, base_channels, max_channels)][::-1]
        self.state_shape = (wide, 4, 4)
        self.first = nn.Linear(latent_dim, 16 * wide)
        self.recurrence = ConvLSTM(wide, wide)
        blocks = []
        for narrow in rest:
            blocks.append(_Block(wide, narrow, classes))
            wide = narrow
        self.blocks = nn.ModuleList(blocks)
        self.norm = _Norm(wide, classes)
        self.last = nn.Conv2d(wide, channels, 3, padding=1)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "z" (B, latent_dim)."""
        return {"z": 2 * torch.rand(batch, self.latent_dim, generator=rng) - 1}

    def check_times(self, times: Tensor) -> None:
        check_equally_spaced(times, who="generator=tganv2")

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W) in [-1, 1], with a frame for each of `times` (B, T)."""
        code, frames = latent["z"], times.shape[1]
        label_code = None
        if self.classes:
            label_code = one_hot(label, self.classes, dtype=code.dtype).repeat_interleave(frames, 0)
        first = with_state(self.first(code).unflatten(1, (-1, 1, 4, 4)), latent)  # (B, C, 1, 4, 4)
        states = self.recurrence(first, frames)  # (B, C, T, 4, 4)
        x = states.transpose(1, 2).flatten(0, 1)  # the frames of a clip side by side: (B*T, C, 4, 4)
        for block in self.blocks:
            x = block(x, label_code)
        images = self.last(F.relu(self.norm(x, label_code))).tanh()
        return images.unflatten(0, (-1, frames)).transpose(1, 2)


class _Norm(nn.Module):
    """Batch norm, with gains and offsets of each class where there are classes."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.norm = ConditionalBatchNorm(channels, classes) if classes else BatchNorm(channels)

    def forward(self, x: Tensor, label_code: Tensor | None) -> Tensor:
        return self.norm(x) if label_code is None else self.norm(x, label_code)


class _Block(nn.Module):
    """Norm, ReLU, doubling, 3x3, norm, ReLU, 3x3; the shortcut is doubled and passes a 1x1 convolution."""

    def __init__(self, wide: int, narrow: int, classes: int):
        super().__init__()
        self.first_norm = _Norm(wide, classes)
        self.first = nn.Conv2d(wide, narrow, 3, padding=1)
        self.second_norm = _Norm(narrow, classes)
        self.second = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.shortcut = nn.Conv2d(wide, narrow, 1)
        for layer, gain in ((self.first, math.sqrt(2)), (self.second, math.sqrt(2)), (self.shortcut, 1.0)):
            nn.init.xavier_uniform_(layer.weight, gain)
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor, label_code: Tensor | None) -> Tensor:
        y = self.first(_double(F.relu(self.first_norm(x, label_code))))
        y = self.second(F.relu(self.second_norm(y, label_code)))
        # A 1x1 convolution and a doubling commute: the cheaper order.
        return y + _double(self.shortcut(x))


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
