"""A ConvLSTM that is told what to do once, and residual blocks that paint each of its states."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.conditional_norm import ConditionalBatchNorm
from vgen.layer.conv_lstm import ConvLSTM
from vgen.layer.frame_choice import halved_frames
from vgen.layer.label import one_hot
from vgen.layer.pyramid import doublings, widths
from vgen.layer.state import with_state
from vgen.layer.times import check_equally_spaced


class TGANv2(nn.Module):
    """z -> a 4x4 map, the ConvLSTM's first input -> its states, one a frame -> residual blocks -> video in [-1, 1].

    Source: TGANv2, Saito et al. 2020, arXiv 1811.09245, §4, and pfnet-research/tgan2:
    tgan2/models/generators/multi_tgan_clstm_generator.py, tgan2/models/resblocks.py. Frames of 256x256 with
    `base_channels` 32 pass the paper's blocks: 512, 256, 128, 64, 32 and 32 channels after a ConvLSTM of 1024.

    With `sparse` it is trained as in the paper: the maps of each of the last `levels` sizes have a renderer (norm,
    ReLU, 3x3 convolution, tanh), and only every second frame goes on to the next block, at a random phase, so that a
    clip of 16 frames comes as 16 small, 8, 4 and 2 large ones. A discriminator of as many levels looks at these.
    `forward`, that is everything after training, passes all frames through all blocks to the last renderer. Unlike the
    published code, the phase is drawn for each clip, not for a batch, and its thinning of the batch between levels is
    left out.
    Without `sparse` training is dense too, and there is the last renderer alone.

    Args:
        size: height and width of a frame: 8, 16, 32, ... (4x4 first maps; the paper's 192x192 starts from 3x3).
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored; otherwise every norm has gains and offsets of each
            class, an option of the published code.
        latent_dim: width of the latent code "z", U(-1, 1).
        base_channels: width of the last two blocks; it doubles with every block inwards, and once more to the ConvLSTM.
        max_channels: the width's limit.
        sparse: whether it is trained sparsely.
        levels: of sparse training.
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
        sparse: bool = False,
        levels: int = 4,
    ):
        super().__init__()
        most = doublings(size) + 1
        if sparse and not 1 <= levels <= most:
            raise ValueError(
                f"generator.levels={levels}: frames of {size}x{size} grow from 4x4 in {most - 1} doublings, so there "
                f"are 1 to {most} levels"
            )
        self.levels = levels if sparse else 1
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
        coarse = [self.state_shape[0], *rest][-self.levels : -1]
        self.coarse_norms = nn.ModuleList(_Norm(narrow, classes) for narrow in coarse)
        self.coarse_last = nn.ModuleList(nn.Conv2d(narrow, channels, 3, padding=1) for narrow in coarse)
        self.norm = _Norm(wide, classes)
        self.last = nn.Conv2d(wide, channels, 3, padding=1)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "z" (B, latent_dim)."""
        return {"z": 2 * torch.rand(batch, self.latent_dim, generator=rng) - 1}

    def check_times(self, times: Tensor) -> None:
        check_equally_spaced(times, who="generator=tganv2")

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W) in [-1, 1], with a frame for each of `times` (B, T)."""
        x, label_code = self._begin(latent, times, label)
        by_frame = _of_frames(label_code, times.shape[1])
        for block in self.blocks:
            x = block(x, by_frame)
        return _render(self.norm, self.last, x, by_frame).unflatten(0, times.shape).transpose(1, 2)

    def decompose(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """What it is trained on: the clip, or with `sparse` its levels.

        Returns:
            "video": (B, C, T', size, size) in [-1, 1], with `sparse` the levels one behind the other (`Clip.levels`).
            "frames": (B, T') int64, which of `times` (B, T) they have; with `sparse` only.
        """
        if self.levels == 1:
            return {"video": self(latent, times, label)}
        batch, frames = times.shape
        if frames >> (self.levels - 1) == 0:
            raise ValueError(
                f"generator.levels={self.levels} cannot halve {frames} frames (clip.frames) that often; set it to less"
            )
        chosen = halved_frames(batch, frames, self.levels)
        x, label_code = self._begin(latent, times, label)
        by_frame = _of_frames(label_code, frames)
        first = len(self.blocks) + 1 - self.levels
        norms, convolutions = [*self.coarse_norms, self.norm], [*self.coarse_last, self.last]
        for block in self.blocks[:first]:
            x = block(x, by_frame)
        rendered = []
        for level, index in enumerate(chosen):
            if level > 0:
                # Where the frames of this level stand among those of the level before, all clips in one row.
                place = torch.searchsorted(chosen[level - 1].contiguous(), index.contiguous())
                place = place + chosen[level - 1].shape[1] * torch.arange(batch)[:, None]
                x = x[place.flatten().to(x.device)]
                by_frame = _of_frames(label_code, index.shape[1])
                x = self.blocks[first + level - 1](x, by_frame)
            images = _render(norms[level], convolutions[level], x, by_frame)
            images = F.interpolate(images, scale_factor=2.0 ** (self.levels - 1 - level), mode="nearest")
            rendered.append(images.unflatten(0, index.shape).transpose(1, 2))
        return {"video": torch.cat(rendered, 2), "frames": torch.cat(chosen, 1).to(times.device)}

    def _begin(self, latent: Latent, times: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The frames' first maps, those of a clip side by side (B*T, C, 4, 4), and the label code (B, K)."""
        code = latent["z"]
        label_code = one_hot(label, self.classes, dtype=code.dtype) if self.classes else None
        first = with_state(self.first(code).unflatten(1, (-1, 1, 4, 4)), latent)  # (B, C, 1, 4, 4)
        states = self.recurrence(first, times.shape[1])  # (B, C, T, 4, 4)
        return states.transpose(1, 2).flatten(0, 1), label_code


def _of_frames(label_code: Tensor | None, frames: int) -> Tensor | None:
    """(B, K) -> (B*T, K)."""
    return None if label_code is None else label_code.repeat_interleave(frames, 0)


def _render(norm: nn.Module, last: nn.Module, x: Tensor, label_code: Tensor | None) -> Tensor:
    return last(F.relu(norm(x, label_code))).tanh()


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
