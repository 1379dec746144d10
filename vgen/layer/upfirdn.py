"""Resampling of frames with any FIR filter: insert zeros, pad or crop, filter, drop."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Padding = int | tuple[int, int, int, int]

_ONE_PASS = 8  # taps; a longer separable filter is applied along one dimension after the other


def fir_filter(taps: Sequence[float] | Sequence[Sequence[float]]) -> Tensor:
    """Taps as a float32 tensor (L,), a separable filter, or (M, L), with sum 1."""
    given = np.asarray(taps, dtype=np.float64)
    if given.ndim not in (1, 2) or given.sum() == 0:
        raise ValueError(f"a filter has one or two dimensions of taps whose sum is not 0, unlike {taps}")
    return torch.tensor((given / given.sum()).tolist(), dtype=torch.float32)


def upfirdn2d(
    x: Tensor, filter: Tensor, *, up: int = 1, down: int = 1, padding: Padding = 0, gain: float = 1.0
) -> Tensor:
    """x (N, C, H, W) -> (N, C, H', W') with H' = (up H + top + bottom - L) // down + 1, and W' alike.

    Each pixel is followed by `up` - 1 zeros, along both dimensions; zeros are added around, or pixels taken away where
    `padding` is negative; the result is convolved with `filter` where it lies wholly inside, times `gain`; every
    `down`-th pixel stays, the first one among them.

    The zeros are not computed with: a transposed convolution skips them.

    Source: the semantics are those of Karras et al. 2020, arXiv 1912.04958, appendix, and NVlabs/stylegan2-ada-pytorch:
    torch_utils/ops/upfirdn2d.py.

    Args:
        filter: (L,) for a separable filter, the same along both dimensions, or (height, width).
        padding: one number, or (left, right, top, bottom), in pixels after the insertion of zeros.
    """
    left, right, top, bottom = (padding,) * 4 if isinstance(padding, int) else padding
    filter = filter.to(x.dtype)
    sides = (left, right, top, bottom)
    if filter.ndim == 2:
        return _resample(x, filter * gain, up, down, sides)
    if len(filter) <= _ONE_PASS:
        return _resample(x, filter.outer(filter) * gain, up, down, sides)
    x = _resample(x, filter[None] * gain, (1, up), (1, down), (left, right, 0, 0))
    return _resample(x, filter[:, None], (up, 1), (down, 1), (0, 0, top, bottom))


Pair = tuple[int, int]


def _resample(
    x: Tensor, filter: Tensor, up: int | Pair, down: int | Pair, padding: tuple[int, int, int, int]
) -> Tensor:
    """`upfirdn2d` of a filter (height, width) as it stands; up and down may differ by dimension (height, width)."""
    channels = x.shape[1]
    up_y, up_x = (up, up) if isinstance(up, int) else up
    steps = (down, down) if isinstance(down, int) else down
    height, width = filter.shape
    if (up_y, up_x) == (1, 1):
        weight = filter.flip((0, 1)).expand(channels, 1, -1, -1)
        return F.conv2d(_pad(x, padding), weight, stride=steps, groups=channels)
    # Transposed, the convolution begins where the filter first touches the frame: with a padding of its length - 1.
    left, right = padding[0] - (width - 1), padding[1] - (width - up_x)
    top, bottom = padding[2] - (height - 1), padding[3] - (height - up_y)
    crop_y, crop_x = max(0, -max(top, bottom)), max(0, -max(left, right))
    weight = filter.expand(channels, 1, -1, -1)
    x = F.conv_transpose2d(x, weight, stride=(up_y, up_x), padding=(crop_y, crop_x), groups=channels)
    x = _pad(x, (left + crop_x, right + crop_x, top + crop_y, bottom + crop_y))
    return x[:, :, :: steps[0], :: steps[1]]


def _pad(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    return F.pad(x, padding) if any(padding) else x


def upsample2d(x: Tensor, filter: Tensor, *, up: int = 2, gain: float = 1.0) -> Tensor:
    """(N, C, H, W) -> (N, C, up H, up W); a constant stays what it is, away from the border."""
    (before_y, after_y), (before_x, after_x) = (up_padding(size, up) for size in _sides(filter))
    sides = (before_x, after_x, before_y, after_y)
    return upfirdn2d(x, filter, up=up, padding=sides, gain=gain * up**2)


def downsample2d(x: Tensor, filter: Tensor, *, down: int = 2, gain: float = 1.0) -> Tensor:
    """(N, C, H, W) -> (N, C, H / down, W / down), filtered before pixels are dropped."""
    (before_y, after_y), (before_x, after_x) = (down_padding(size, down) for size in _sides(filter))
    sides = (before_x, after_x, before_y, after_y)
    return upfirdn2d(x, filter, down=down, padding=sides, gain=gain)


def up_padding(taps: int, up: int) -> tuple[int, int]:
    """Before and after: what makes `upfirdn2d` exactly `up` times as long, and centred."""
    return (taps + up - 1) // 2, (taps - up) // 2


def down_padding(taps: int, down: int) -> tuple[int, int]:
    """Before and after: what makes `upfirdn2d` exactly `down` times as short, and centred."""
    return (taps - down + 1) // 2, (taps - down) // 2


def _sides(filter: Tensor) -> tuple[int, int]:
    """(height, width) of a filter."""
    return (len(filter), len(filter)) if filter.ndim == 1 else (filter.shape[0], filter.shape[1])
