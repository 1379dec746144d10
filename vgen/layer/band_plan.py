"""How frequencies grow from layer to layer of an alias-free generator."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """The signal that a layer gives.

    Attributes:
        cutoff: highest frequency that is kept, in periods along a picture's side.
        half: half the width of the band in which the filter falls.
        rate: samples along a picture's side, a power of 2.
        size: height and width of the map, with its margin.
        width: channels.
    """

    cutoff: float
    half: float
    rate: int
    size: int
    width: int


def band_plan(
    size: int,
    *,
    base_channels: int,
    max_channels: int,
    layers: int = 14,
    critical: int = 2,
    margin: int = 10,
) -> list[Band]:
    """The bands of layers 0, ..., `layers` - 1 and, last, of the pictures, without a width of their own.

    Cutoffs grow geometrically from 2 to half of `size`, where the frequency falls to nothing ("stopband") from 2^2.1 to
    2^0.3 times that, and the last `critical` layers share the last values: they are critically sampled. A layer's rate
    is the least power of 2 that reaches its stopband, and at most `size`. All maps but the last layer's have a `margin`
    around the picture, for what moves in. Widths are in inverse proportion to cutoffs.

    Source: StyleGAN3, Karras et al. 2021, arXiv 2106.12423, §3.2 and fig. 4; NVlabs/stylegan3:
    training/networks_stylegan3.py.

    Args:
        base_channels: width of the last layers: the published channel base divided by `size`.
        max_channels: the width's limit.

    Raises:
        ValueError: fewer layers than critical ones.
    """
    if not 0 <= critical < layers:
        raise ValueError(f"layers={layers} must be more than critical={critical}, which must be 0 or more")
    bands = []
    for number in range(layers + 1):
        share = min(number / (layers - critical), 1.0)
        cutoff = 2 * (size / 4) ** share
        stopband = 2**2.1 * (size / 2 * 2**0.3 / 2**2.1) ** share
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, size)))
        bands.append(
            Band(
                cutoff=cutoff,
                half=max(stopband, rate / 2) - cutoff,
                rate=rate,
                size=size if number >= layers - 1 else rate + 2 * margin,
                width=round(min(base_channels * size / 2 / cutoff, max_channels)),
            )
        )
    return bands
