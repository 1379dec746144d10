"""Against the definition: zeros inserted, zeros added or pixels cut off, a convolution, every so many pixels kept."""

import numpy as np
import pytest
import torch
from torch import Tensor

from vgen.layer.upfirdn import downsample2d, fir_filter, upfirdn2d, upsample2d

DOUBLE = torch.float64
PADDINGS = {"none": (0, 0, 0, 0), "uneven": (3, 2, 1, 4), "negative": (-1, 2, 0, -2)}
FILTERS = {
    "binomial": [1.0, 3.0, 3.0, 1.0],
    "odd": [1.0, -2.0, 4.0],
    "one": [2.0],
    "long": [1.0, 2.0, -1.0, 5.0, 3.0, 0.5, 1.0, 2.0, 7.0, -3.0],
    "square": [[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]],
}


def frames(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))


def by_definition(x: Tensor, filter: Tensor, up: int, down: int, padding, gain: float) -> np.ndarray:
    """One pixel after the other, in numpy."""
    wide = np.zeros((*x.shape[:2], x.shape[2] * up, x.shape[3] * up))
    wide[:, :, ::up, ::up] = x.numpy()
    left, right, top, bottom = padding
    wide = np.pad(wide, [(0, 0), (0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))])
    height, width = wide.shape[2:]
    wide = wide[:, :, max(-top, 0) : height - max(-bottom, 0), max(-left, 0) : width - max(-right, 0)]
    taps = (filter.outer(filter) if filter.ndim == 1 else filter).numpy()[::-1, ::-1]
    rows, columns = (side - size + 1 for side, size in zip(wide.shape[2:], taps.shape, strict=True))
    whole = np.zeros((*x.shape[:2], rows, columns))
    for row in range(rows):
        for column in range(columns):
            seen = wide[:, :, row : row + taps.shape[0], column : column + taps.shape[1]]
            whole[:, :, row, column] = (seen * taps).sum((2, 3))
    return gain * whole[:, :, ::down, ::down]


@pytest.mark.parametrize("padding", PADDINGS.values(), ids=list(PADDINGS))
@pytest.mark.parametrize("taps", FILTERS.values(), ids=list(FILTERS))
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (3, 2), (2, 3)])
def test_as_defined(up: int, down: int, taps, padding):
    x, filter = frames(2, 3, 13, 12), fir_filter(taps).double()
    expected = by_definition(x, filter, up, down, padding, 1.7)
    made = upfirdn2d(x, filter, up=up, down=down, padding=padding, gain=1.7)
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("taps", [FILTERS["binomial"], FILTERS["long"]])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
def test_differentiable_twice(up: int, down: int, taps):
    x, filter = frames(1, 2, 5, 4).requires_grad_(), fir_filter(taps).double()

    def resample(x: Tensor) -> Tensor:
        return upfirdn2d(x, filter, up=up, down=down, padding=5).pow(2)

    assert torch.autograd.gradcheck(resample, (x,))
    assert torch.autograd.gradgradcheck(resample, (x,))


@pytest.mark.parametrize("taps", FILTERS.values(), ids=list(FILTERS))
def test_sizes_and_constants(taps):
    filter = fir_filter(taps).double()
    assert filter.sum().item() == pytest.approx(1)
    ones = torch.ones(1, 2, 24, 24, dtype=DOUBLE)
    for factor in (2, 3):
        larger, smaller = upsample2d(ones, filter, up=factor), downsample2d(ones, filter, down=factor)
        assert larger.shape[2:] == (24 * factor, 24 * factor)
        assert smaller.shape[2:] == (24 // factor, 24 // factor)
        torch.testing.assert_close(smaller[:, :, 5:-5, 5:-5], torch.ones_like(smaller[:, :, 5:-5, 5:-5]))
        # Between the inserted zeros a constant stays one on average, and everywhere if the filter is low-pass.
        inner = larger[:, :, 12:-12, 12:-12]
        assert inner.mean().item() == pytest.approx(1)
    torch.testing.assert_close(
        upsample2d(ones, fir_filter([1, 3, 3, 1]).double())[:, :, 2:-2, 2:-2],
        torch.ones(1, 2, 44, 44, dtype=DOUBLE),
    )


def test_what_is_no_filter():
    for taps in ([], [1.0, -1.0], [[[1.0]]]):
        with pytest.raises(ValueError, match="filter"):
            fir_filter(taps)
