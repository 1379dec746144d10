"""Low-pass filters: an ideal one, cut to a few taps by Kaiser's window."""

import math

import torch
from torch import Tensor


def kaiser_lowpass(taps: int, *, cutoff: float, width: float, rate: float) -> Tensor:
    """A filter (taps,) float32 of sum 1 that passes frequencies below `cutoff`.

    Frequencies are in the unit of the sampling `rate`, whose half is the highest there is. From cutoff - width / 2 to
    cutoff + width / 2 the response falls; the wider that band, the more is kept out beyond it.

    Source: Kaiser 1974, in the form that StyleGAN3 uses (Karras et al. 2021, arXiv 2106.12423, appendix C). The shape
    of the window follows from the attenuation A = 2.285 (taps - 1) pi (2 width / rate) + 7.95.
    """
    if taps < 1:
        raise ValueError(f"taps={taps}: a filter has at least one")
    if not (0 < cutoff < rate / 2 and width > 0):
        raise ValueError(
            f"cutoff={cutoff} must lie between 0 and half the rate {rate}, and width={width} above 0"
        )
    if taps == 1:
        return torch.ones(1)
    attenuation = 2.285 * (taps - 1) * math.pi * 2 * width / rate + 7.95
    window = torch.kaiser_window(taps, periodic=False, beta=_shape(attenuation), dtype=torch.float64)
    positions = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
    filter = window * torch.sinc(2 * cutoff / rate * positions)
    return (filter / filter.sum()).float()


def _shape(attenuation: float) -> float:
    """Kaiser's beta for a stop band that is `attenuation` decibels down."""
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return 0.0
