"""Orthogonal wavelet filters: exact doubling and halving of pictures, and octave bands that sum to the picture."""

from functools import lru_cache

import torch
from torch import Tensor

# Low-pass filters of Daubechies' least asymmetric wavelets: unit energy, sum sqrt(2), orthogonal to even shifts.
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
MARGIN = len(SYM6) // 2 - 1  # fine pixels that `halve` wants beyond each edge
# Coarse pixel i lies at fine position 2 i + PHASE: the filter is not quite symmetric about a tap.
PHASE = sum(tap * value for tap, value in enumerate(SYM6)) / sum(SYM6) - MARGIN
_REACH = len(SYM6) // 4  # coarse pixels beyond the edge that `double` reads


def reflect(position: Tensor, size: int) -> Tensor:
    """Positions, whole or not, mirrored at the centres of pixels 0 and `size - 1` until they lie between them."""
    period = max(2 * (size - 1), 1)
    position = position.remainder(period)
    return torch.minimum(position, period - position).clamp(max=size - 1)


def double(planes: Tensor) -> Tensor:
    """(N, P, H, W) -> (N, P, 2 H, 2 W), filtered by sym6; mirrored beyond the edges.

    Fine pixel k lies at coarse position (k - PHASE) / 2.
    """
    over_rows, over_columns = (_doubling(size, planes.dtype, planes.device) for size in planes.shape[2:])
    return over_rows @ planes @ over_columns.mT


def halve(fine: Tensor) -> Tensor:
    """(N, P, 2 (H + MARGIN), 2 (W + MARGIN)) -> (N, P, H, W): undoes `double` where nothing has been moved."""
    over_rows, over_columns = (_halving(size, fine.dtype, fine.device) for size in fine.shape[2:])
    return over_rows @ fine @ over_columns.mT


# Matrices: on a CPU, convolutions of single channels take 40 times as long at 32 pixels and still 6 times at 128.
@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _doubling(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(2 size, size): each fine pixel from the coarse ones that the filter reaches."""
    coarse = torch.arange(-_REACH, size + _REACH)
    tap = torch.arange(2 * size)[:, None] - 2 * coarse + MARGIN  # (2 size, size + 2 reach)
    weights = 2 * _sym6_at(tap)
    matrix = torch.zeros(2 * size, size, dtype=torch.float64).index_add_(1, reflect(coarse, size), weights)
    return matrix.to(device, dtype)


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _halving(fine_size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(size, fine_size): the same filter, from the fine pixels on."""
    coarse = torch.arange((fine_size - len(SYM6)) // 2 + 1)[:, None]
    return _sym6_at(torch.arange(fine_size) - 2 * coarse).to(device, dtype)


def _sym6_at(tap: Tensor) -> Tensor:
    """The filter with sum 1; 0 where there is no tap."""
    taps = torch.tensor(SYM6, dtype=torch.float64) / sum(SYM6)
    inside = (tap >= 0) & (tap < len(SYM6))
    return taps[tap.clamp(0, len(SYM6) - 1)] * inside


def octave_bands(like: Tensor) -> Tensor:
    """(4, 43): zero-phase filters of four octaves from the lowest to the highest, whose sum leaves all as it is.

    Each halves the frequencies of the next: the autocorrelation of sym2 and that of its high-pass mirror image split
    the spectrum in two, and the lower half is split again at twice the spacing.
    """
    low = torch.tensor(SYM2, dtype=torch.float64)
    high = low * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    lower, upper = _autocorrelation(low) / 2, _autocorrelation(high) / 2  # (7,), their sum is a unit impulse
    bank = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(3):
        spread = torch.stack([bank, torch.zeros_like(bank)], 2).flatten(1)[:, :-1]
        bank = _convolve(spread, lower)
        newest = torch.zeros(1, bank.shape[1], dtype=torch.float64)
        centre = bank.shape[1] // 2
        newest[0, centre - 3 : centre + 4] = upper
        bank = torch.cat([bank, newest])
    return bank.to(like)


def _autocorrelation(taps: Tensor) -> Tensor:
    return _convolve(taps[None], taps.flip(0))[0]


def _convolve(rows: Tensor, taps: Tensor) -> Tensor:
    """Full convolution of each row (n, k) with `taps`."""
    return torch.nn.functional.conv1d(rows[:, None], taps.flip(0)[None, None], padding=len(taps) - 1)[:, 0]
