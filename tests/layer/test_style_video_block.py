import torch

from vgen.layer.filtered_conv3d import EqualizedConv3d, halve_time
from vgen.layer.matrix import weighted_layers
from vgen.layer.style_video_block import StyleVideoBlock, double_time
from vgen.layer.time_windows import Window, after_doubling, before_doubling, before_halving


def test_doubled_time_is_linear_interpolation():
    x = torch.randn(2, 3, 6, 2, 2, dtype=torch.float64)
    expected = torch.nn.functional.interpolate(
        x.flatten(3).flatten(0, 1).transpose(1, 2), scale_factor=2, mode="linear", align_corners=False
    )
    expected = expected.transpose(1, 2).reshape(2, 3, 12, 2, 2)[:, :, 1:-1]
    torch.testing.assert_close(double_time(x), expected)


def test_windows_hold_what_is_needed_and_no_more():
    x = torch.arange(40.0).view(1, 1, 40)
    for first in range(6, 12):
        for end in range(first + 1, first + 9):
            wanted = Window(first, end)
            taken = before_doubling(wanted)
            given = after_doubling(taken)
            assert given.first <= first
            assert given.end >= end
            assert given.first > first - 2  # one frame less would not do
            assert given.end < end + 2
            part = double_time(x[:, :, taken.first : taken.end])[:, :, wanted.within(given)]
            torch.testing.assert_close(part[0, 0], (torch.arange(first, end) - 0.5) / 2)
    kept = before_halving(Window(2, 5), taps=4)
    assert kept == (3, 11)
    taps = torch.tensor([0.125, 0.375, 0.375, 0.125])
    halved = torch.nn.functional.conv1d(x[:, :, kept.first : kept.end], taps[None, None], stride=2)
    torch.testing.assert_close(halved[0, 0], 2 * torch.arange(2.0, 5.0) + 0.5)
    assert Window(3, 5).joined(Window(1, 4)).grown(1) == (0, 6)


def test_a_block_is_the_same_for_a_part_of_a_clip():
    torch.manual_seed(0)
    block = StyleVideoBlock(3, 4, 5, double_time=True, up=True).eval().double()
    x, w = torch.randn(2, 3, 12, 4, 4, dtype=torch.float64), torch.randn(2, 12, 5, dtype=torch.float64)
    whole = block(x, w)
    assert whole.shape == (2, 4, 14, 8, 8)
    torch.testing.assert_close(block(x[:, :, 3:10], w[:, 3:10]), whole[:, :, 6:10])
    still = StyleVideoBlock(3, 4, 5, temporal_kernel=1).eval().double()
    torch.testing.assert_close(still(x[:, :, 4:5], w[:, 4:5]), still(x, w)[:, :, 4:5])


def test_rules_of_weights_find_every_convolution():
    """Spectral norm and orthogonality look for layers with a `weight`."""
    block = StyleVideoBlock(3, 4, 5)
    found = {f"{name}.weight" for name, _ in weighted_layers(block)}
    assert found == {name for name, parameter in block.named_parameters() if parameter.ndim > 1}


def test_magnitudes_are_learnt_in_training_and_used_in_evaluation():
    torch.manual_seed(0)
    block = StyleVideoBlock(3, 4, 5)
    x, w = 7 * torch.randn(2, 3, 8, 4, 4), torch.randn(2, 8, 5)
    for _ in range(4000):
        block.magnitude_one(x)
    assert abs(block.magnitude_one.average - x.square().mean()) < 0.05 * x.square().mean()
    block.eval()
    before = block.magnitude_two.average.clone()
    first = block(x, w)
    assert torch.equal(before, block.magnitude_two.average)
    torch.testing.assert_close(first, block(x, w))


def test_halved_time_is_filtered():
    """The published filter, after zeros at both ends; a constant stays what it is inside."""
    taps = torch.tensor([1, 3, 3, 1], dtype=torch.float64) / 8
    x = torch.randn(2, 3, 9, 2, dtype=torch.float64)
    padded = torch.nn.functional.pad(x.transpose(2, 3).reshape(-1, 1, 9), (1, 1))
    expected = torch.nn.functional.conv1d(padded, taps[None, None], stride=2)
    torch.testing.assert_close(halve_time(x, taps), expected.view(2, 3, 2, 4).transpose(2, 3))
    torch.testing.assert_close(halve_time(torch.ones(1, 1, 8), taps)[0, 0, 1:-1], torch.ones(2))


def test_convolutions_halve_what_they_are_told_to():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8, 8)
    for time in (False, True):
        for space in (False, True):
            layer = EqualizedConv3d(3, 5, (5, 3), halve_time=time, halve_space=space)
            assert layer(x).shape == (2, 5, 4 if time else 8, *((4, 4) if space else (8, 8)))
    one = EqualizedConv3d(3, 5, (1, 1), bias=False, slope=1.0, halve_space=True, halve_time=True)
    late = EqualizedConv3d(3, 5, (1, 1), bias=False, slope=1.0)
    late.weight = one.weight
    torch.testing.assert_close(one(x), one._halve(late(x)), atol=1e-5, rtol=1e-4)
