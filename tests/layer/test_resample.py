import pytest
import torch
import torch.nn.functional as F

from vgen.layer.resample import double, halve

DOUBLE = torch.float64


def test_doubling_is_zero_insertion_and_a_filter():
    x = torch.randn(2, 1, 5, dtype=DOUBLE)
    inserted = torch.stack([x, torch.zeros_like(x)], 3).flatten(2)
    filtered = F.conv1d(F.pad(inserted, (2, 0)), torch.tensor([[[0.5, 1.0, 0.5]]], dtype=DOUBLE))
    torch.testing.assert_close(double(x, 2), filtered)


def test_halving_filters_and_drops():
    x = torch.randn(2, 1, 8, dtype=DOUBLE)
    kernel = torch.tensor([[[0.25, 0.5, 0.25]]], dtype=DOUBLE)
    torch.testing.assert_close(halve(x, 2), F.conv1d(F.pad(x, (1, 0)), kernel, stride=2))


@pytest.mark.parametrize("dim", [0, 1, 3])
@pytest.mark.parametrize("continued", [False, True])
def test_any_dimension_will_do(dim: int, continued: bool):
    x = torch.randn(2, 4, 6, 8)
    for change in (double, halve):
        expected = change(x.movedim(dim, 2), 2, continued=continued).movedim(2, dim)
        assert torch.equal(change(x, dim, continued=continued), expected)


def test_a_constant_stays_constant_where_the_border_is_continued():
    x = torch.ones(1, 6, 2)
    assert torch.equal(double(x, 1, continued=True), torch.ones(1, 12, 2))
    assert torch.equal(halve(x, 1, continued=True), torch.ones(1, 3, 2))
    assert double(x, 1)[0, 0, 0] == 0.5
    ramp = torch.arange(6.0)[None]
    assert torch.equal(double(ramp, 1, continued=True)[0], torch.arange(12).sub(1).clamp(min=0) / 2)
