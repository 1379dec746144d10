"""ADA's corruptions: amplified frequency bands, noise, cutout."""

import torch
from torch import Tensor

from vgen.augment.chance import Chance, change_where
from vgen.layer.wavelet import octave_bands, reflect
from vgen.rng import draw_rows

CORRUPTION = ("band_0", "band_1", "band_2", "band_3", "noise", "cutout", "cutout_y")
_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural pictures in the four octaves, the lowest first


def filter_bands(video: Tensor, chance: Chance, *, filtering: float) -> Tensor:
    """Makes each of four octaves stronger or weaker, the power of a natural picture being kept."""
    power = torch.tensor(_POWER, device=video.device)
    gain = torch.ones(video.shape[0], 4, device=video.device)
    chosen = []
    for band in range(4):
        happens = chance.happens(f"band_{band}", filtering)
        chosen.append(happens)
        factor = torch.where(happens, chance.normal(f"band_{band}").exp2(), torch.ones_like(gain[:, 0]))
        amplified = torch.ones_like(gain)
        amplified[:, band] = factor
        gain = gain * amplified / (power * amplified.square()).sum(1, keepdim=True).sqrt()
    return change_where(torch.stack(chosen).any(0), video, _amplify, gain)


def _amplify(video: Tensor, gain: Tensor) -> Tensor:
    """video (B, C, T, H, W), gain (B, 4) of the octaves."""
    gain = gain.to(video.dtype)
    height, width = video.shape[3:]
    taps = gain @ octave_bands(gain)  # (B, 43)
    over_rows, over_columns = _operator(taps, height)[:, None, None], _operator(taps, width)[:, None, None]
    return over_rows @ video @ over_columns.mT


def _operator(taps: Tensor, size: int) -> Tensor:
    """(B, size, size): convolution with each clip's taps, the line mirrored at its ends."""
    reach = taps.shape[1] // 2
    position = torch.arange(size, device=taps.device)
    source = reflect(position[:, None] + torch.arange(-reach, reach + 1, device=taps.device), size)
    spread = (source[:, :, None] == position).to(taps.dtype)  # (size, taps, size)
    return torch.einsum("bk,ykz->byz", taps, spread)


def add_noise(video: Tensor, chance: Chance, *, noise: float) -> Tensor:
    """Gaussian noise of a standard deviation |N(0, 0.1^2)|, one pattern for all frames."""
    if noise == 0:
        return video
    batch, channels, _, height, width = video.shape
    pattern = draw_rows(
        batch, lambda rows, rng: torch.randn(rows, channels, 1, height, width, generator=rng)
    ).to(video.device, video.dtype)
    deviation = (chance.normal("noise").abs() * 0.1).to(video.dtype).view(-1, 1, 1, 1, 1)
    return change_where(chance.happens("noise", noise), video, lambda v, d, n: v + d * n, deviation, pattern)


def cut_out(video: Tensor, chance: Chance, *, cutout: float) -> Tensor:
    """Sets a square of half the frame's side, its centre anywhere in the frame, to 0."""
    height, width = video.shape[3:]
    rows, columns = _covered(height, chance.uniform("cutout_y")), _covered(width, chance.uniform("cutout"))
    cut = (rows[:, :, None] & columns[:, None, :])[:, None, None]  # (B, 1, 1, H, W)
    return change_where(
        chance.happens("cutout", cutout), video, lambda v, hole: v.masked_fill(hole, 0.0), cut
    )


def _covered(size: int, centre: Tensor) -> Tensor:
    """(B, size) bool: pixels whose centres lie less than a quarter of the side away."""
    position = (torch.arange(size, device=centre.device) + 0.5) / size
    return (position - centre[:, None]).abs() < 0.25
