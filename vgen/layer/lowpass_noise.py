"""Noise over time seen through a bank of low-pass filters: from what lasts a moment to what lasts minutes."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from vgen.layer.kaiser import kaiser_lowpass
from vgen.layer.keyed_noise import keyed_normal

_BLOCK = 256  # frames whose noise has one key


class LowpassNoise(nn.Module):
    """White noise of `channels` numbers per frame -> each channel through each of `filters` filters.

    Filter k passes periods above its footprint F_k (frames), log-spaced from `shortest` to `longest`, and has as many
    taps. All end at the frame itself: what comes out at a frame follows from the noise up to it. Outputs are N(0, 1).

    A clip has a seed, and the noise of a frame follows from the seed and the frame's number. So any stretch of the
    endless time line, also before 0, can be made by itself, and takes memory for itself and `longest` frames before.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429, §3.1; NVlabs/long-video-gan: model/generator_lres.py,
    where footprints are 125 to 5000 frames, half of "sampling rates" 250 to 10000.
    """

    taps: Tensor

    def __init__(
        self, *, channels: int = 8, filters: int = 128, shortest: float = 125.0, longest: float = 5000.0
    ):
        super().__init__()
        if channels < 1 or filters < 1:
            raise ValueError(f"noise channels={channels}, filters={filters}: both must be at least 1")
        if not 2 < shortest <= longest:
            raise ValueError(
                f"shortest={shortest}, longest={longest}: footprints of low-pass filters are above 2 frames, the "
                "shortest one not above the longest"
            )
        self.channels, self.dim = channels, channels * filters
        footprints = np.geomspace(shortest, longest, filters).tolist()
        self.memory = math.ceil(longest - 1e-6)  # frames of noise behind one frame
        taps = torch.zeros(filters, self.memory)
        for row, footprint in zip(taps, footprints, strict=True):
            size = math.ceil(footprint - 1e-6)
            made = kaiser_lowpass(size, cutoff=1 / footprint, width=6 / footprint, rate=1.0)
            row[self.memory - size :] = made / made.norm()
        self.register_buffer("taps", taps, persistent=False)

    def draw(self, seeds: Tensor, first: Tensor, frames: int) -> Tensor:
        """The noise (B, memory - 1 + frames, channels) behind frames `first` (B,) int64, first + 1, ..."""
        length = self.memory - 1 + frames
        begin = first - (self.memory - 1)
        block = begin.div(_BLOCK, rounding_mode="floor")
        count = (length + 2 * _BLOCK - 2) // _BLOCK  # wherever in a block it begins
        keys = [range(number, number + count) for number in block.tolist()]
        noise = keyed_normal(seeds, keys, _BLOCK * self.channels).reshape(len(seeds), -1, self.channels)
        offsets = (begin - block * _BLOCK).tolist()
        return torch.stack([row[at : at + length] for row, at in zip(noise, offsets, strict=True)])

    def forward(self, noise: Tensor) -> Tensor:
        """Noise as `draw` gives it -> (B, frames, channels * filters), in full precision; the filters of a channel
        stand side by side.
        """
        with torch.autocast(noise.device.type, enabled=False):
            white = noise.to(torch.promote_types(noise.dtype, torch.float32)).transpose(1, 2)  # (B, C, N)
            return correlate(white, self.taps.to(white.dtype)).flatten(1, 2).transpose(1, 2)


def correlate(signal: Tensor, taps: Tensor) -> Tensor:
    """signal (B, C, N), taps (F, K) -> (B, C, F, N - K + 1): out[t] = sum over j of taps[j] signal[t + j].

    Long filters are cut into parts no longer than the transform that suffices for the result (uniformly partitioned
    convolution), so that a short result of a long filter takes short transforms.
    """
    length = signal.shape[-1] - taps.shape[-1] + 1
    transform = max(2 ** math.ceil(math.log2(2 * length)), 256)
    part = transform - length + 1
    parts = math.ceil(taps.shape[-1] / part)
    missing = parts * part - taps.shape[-1]
    cut = torch.nn.functional.pad(taps, (0, missing)).unflatten(1, (parts, part))  # (F, P, part)
    pieces = torch.nn.functional.pad(signal, (0, missing)).unfold(2, transform, part)  # (B, C, P, transform)
    over_parts = torch.einsum("bcpn,fpn->bcfn", torch.fft.rfft(pieces), torch.fft.rfft(cut, transform).conj())
    return torch.fft.irfft(over_parts, transform)[..., :length]
