"""Filters that undo each other, bands that sum to the picture, positions mirrored at edges."""

import math

import torch

from vgen.layer.wavelet import MARGIN, SYM2, SYM6, double, halve, octave_bands, reflect


def test_the_filters_are_orthogonal_to_their_even_shifts() -> None:
    for taps in (SYM2, SYM6):
        assert math.isclose(sum(taps), math.sqrt(2), rel_tol=1e-9)
        for shift in range(0, len(taps), 2):
            product = sum(a * b for a, b in zip(taps, taps[shift:], strict=False))
            assert abs(product - (shift == 0)) < 1e-9


def test_halving_undoes_doubling() -> None:
    picture = torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fine = double(picture)
    assert fine.shape == (2, 3, 24, 40)
    coarse = halve(fine[..., 1:, 1:])  # the first that the filter sees whole is number 3
    inside = picture[..., 3 : 3 + coarse.shape[2], 3 : 3 + coarse.shape[3]]
    torch.testing.assert_close(coarse, inside, rtol=0, atol=1e-9)
    even = torch.full((1, 1, 8, 8), 0.7, dtype=torch.float64)
    torch.testing.assert_close(double(even), torch.full((1, 1, 16, 16), 0.7, dtype=torch.float64))


def test_octaves_sum_to_the_picture_and_part_its_frequencies() -> None:
    bands = octave_bands(torch.zeros((), dtype=torch.float64))
    impulse = torch.zeros(bands.shape[1], dtype=torch.float64)
    impulse[len(impulse) // 2] = 1
    torch.testing.assert_close(bands.sum(0), impulse, rtol=0, atol=1e-9)
    torch.testing.assert_close(bands, bands.flip(1))
    alternating = torch.tensor([(-1.0) ** n for n in range(bands.shape[1])], dtype=torch.float64)
    at_0, at_half = bands.sum(1), (bands * alternating).sum(1).abs()
    torch.testing.assert_close(at_0, torch.tensor([1.0, 0, 0, 0], dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(at_half, torch.tensor([0.0, 0, 0, 1], dtype=torch.float64), rtol=0, atol=1e-9)


def test_positions_are_mirrored_at_the_centres_of_the_outer_pixels() -> None:
    index = torch.arange(-4, 9)
    assert reflect(index, 4).tolist() == [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert reflect(torch.tensor([-0.25, 3.5]), 4).tolist() == [0.25, 2.5]
    assert reflect(torch.arange(-1, 3), 1).tolist() == [0, 0, 0, 0]
    assert MARGIN == 5
