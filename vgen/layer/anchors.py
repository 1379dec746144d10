"""A time line without ends: noise at equally spaced anchors, smoothed into one code per anchor."""

import math
from collections.abc import Callable
from functools import wraps
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.equalized import EqualizedConv1d
from vgen.layer.keyed_noise import clip_seeds, keep_known, keyed_normal
from vgen.layer.label import append_label

# Starts are whole numbers of ticks, so many to a frame: exact in float32 when a time of usual size is added, and no
# floating-point part of the latent, which a regulariser might differentiate or measure.
_TICKS = 256


class Place(NamedTuple):
    """Where times (B, T) lie between anchors.

    Attributes:
        index: (B, T) int64, which of the codes belongs to the anchor at or before the time.
        anchor: (B, T) float, the number of that anchor on the clip's time line.
        fraction: (B, T) in [0, 1), the way from there to the next anchor.
    """

    index: Tensor
    anchor: Tensor
    fraction: Tensor


class AnchorCodes(nn.Module):
    """Noise N(0, I) at anchors k = ..., -1, 0, 1, ... -> two padless 1-D convolutions -> codes u_k.

    Anchor k lies at time k * distance. A clip has a seed, and the noise of anchor k follows from seed and k, so
    that any stretch of its endless time line can be made by itself, in any order.

    Source: StyleGAN-V, Skorokhodov et al. 2022, arXiv 2112.14683, §3.1, and universome/stylegan-v:
    src/training/motion.py (kernel 11, learning rate times 0.01).

    Args:
        noise_dim: width of the noise.
        dim: width of the codes.
        distance: frames between two anchors.
        kernel: of each of the two convolutions, in anchors; odd.
        beside: how many further anchors `pick` may reach on either side of the two around a time.
        start: time 0 of a clip lies at a uniformly random place of [0, start) frames on its time line; 0 puts it
            onto anchor 0.
        label_dim: width of a label code that joins the noise at every anchor; 0 for none.
    """

    def __init__(
        self,
        *,
        noise_dim: int,
        dim: int,
        distance: float,
        kernel: int = 11,
        beside: int = 0,
        start: float = 0.0,
        label_dim: int = 0,
    ):
        super().__init__()
        if distance <= 0:
            raise ValueError(f"generator.motion.distance={distance}: anchors are more than 0 frames apart")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"generator.motion.kernel={kernel}: must be an odd number of anchors")
        if start < 0:
            raise ValueError(f"generator.motion.start={start}: must be 0 or more frames")
        self.noise_dim = noise_dim
        self.distance = distance
        self.margin = kernel - 1  # anchors that the two convolutions take away on either side
        self.beside = beside
        self.start = start
        self.first = EqualizedConv1d(noise_dim + label_dim, dim, kernel, lr_multiplier=0.01)
        self.second = EqualizedConv1d(dim, dim, kernel, lr_multiplier=0.01)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts "motion_start" (B,), "motion_first" (B,) and "motion_noise" (B, anchors, noise_dim).

        These are where each clip starts on its time line (int64, in 1/256 of a frame), the number of its first anchor
        (int64) and the noise from there on, which suffices for all times from the least to the greatest of `times`
        (B, T). How many anchors there are depends on these two alone.
        """
        seeds = clip_seeds(batch, rng)
        start = torch.randint(max(math.ceil(self.start * _TICKS), 1), (batch,), generator=rng)
        return self._around(times, start, seeds)

    def latent_at(self, latent: Latent, known: Tensor, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts of `latent` for `times` (B, T) on the same time line; noise of further anchors is drawn."""
        seeds = clip_seeds(len(times), rng)
        moved = self._around(times, latent["motion_start"], seeds)
        offset = latent["motion_first"] - moved["motion_first"]
        return moved | {"motion_noise": keep_known(moved["motion_noise"], latent["motion_noise"], offset)}

    def _around(self, times: Tensor, start: Tensor, seeds: Tensor) -> Latent:
        """The noise that `times` need, of clips that start at `start` (B,) on their time lines."""
        least, most = (bound.cpu().expand(len(start), 1) for bound in times.aminmax())
        reach = self.margin + self.beside
        first = self._position(least, start).floor().long()[:, 0] - reach
        count = int((most - least).max() / self.distance) + 3 + 2 * reach
        keys = [range(number, number + count) for number in first.tolist()]
        return {
            "motion_start": start,
            "motion_first": first,
            "motion_noise": keyed_normal(seeds, keys, self.noise_dim),
        }

    def forward(self, latent: Latent, label_code: Tensor | None) -> Tensor:
        """Codes (B, anchors, dim) of all anchors that the noise suffices for."""
        noise = append_label(latent["motion_noise"], label_code).transpose(1, 2)  # (B, C, anchors)
        return _leaky(self.second(_leaky(self.first(noise)))).transpose(1, 2)

    def place(self, latent: Latent, times: Tensor) -> Place:
        """Where `times` (B, T) lie among the codes that `forward` gives."""
        position = self._position(times, latent["motion_start"])
        position = position.to(torch.promote_types(position.dtype, latent["motion_noise"].dtype))
        anchor = position.floor()
        index = anchor.long() - (latent["motion_first"] + self.margin)[:, None]
        return Place(index, anchor, position - anchor)

    def _position(self, times: Tensor, start: Tensor) -> Tensor:
        return (times + start[:, None] / _TICKS) / self.distance


def pick(codes: Tensor, index: Tensor) -> Tensor:
    """Rows (B, T, D) number `index` (B, T) of each clip's codes (B, anchors, D)."""
    # Reading the bounds would cut a compiled graph in two, and would stall a GPU.
    if index.device.type == "cpu" and index.numel() and not torch.compiler.is_compiling():
        least, most = (int(bound) for bound in index.aminmax())
        if least < 0 or most >= codes.shape[1]:
            raise ValueError(
                "the motion noise was drawn for other times; draw the latent with the times (or a range of "
                "times) that the clip is to have"
            )
    return codes.gather(1, index[:, :, None].expand(-1, -1, codes.shape[2]))


def without_autocast(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`forward(self, latent, times, ...)` in full precision: waves multiply the rounding of their phase."""

    @wraps(forward)
    def precise(self: nn.Module, latent: Latent, times: Tensor, *rest: Tensor | None) -> Tensor:
        with torch.autocast(times.device.type, enabled=False):
            return forward(self, latent, times, *rest)

    return precise


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)  # without a gain, as in the code
