import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vgen.layer.r3gan import (
    Basis,
    FromPixels,
    PositionLinear,
    Resample,
    ResidualBlock,
    SpaceConv,
    TimeConv,
    ToPixels,
    Verdict,
    clip_lengths,
    group_count,
    stage_count,
    stages,
)


def test_a_block_starts_as_the_identity():
    x = torch.randn(2, 4, 3, 6, 6)
    for given, clips in ((x, True), (x[:, :, 0], False)):
        block = ResidualBlock(4, blocks=8, expansion=2, group_width=4, clips=clips)
        assert torch.equal(block(given), given)


@pytest.mark.parametrize(("clips", "layers"), [(False, 3), (True, 4)])
def test_fix_up_scales_each_layer_by_the_depth_of_the_network(clips: bool, layers: int):
    torch.manual_seed(0)
    few, many = (
        ResidualBlock(32, blocks=blocks, expansion=4, group_width=16, clips=clips) for blocks in (1, 64)
    )
    weights = [(a, b) for a, b in zip(few.parameters(), many.parameters(), strict=True) if a.dim() > 1]
    assert len(weights) == layers
    *hidden, (last, _) = weights
    assert not last.any()
    for one, deep in hidden:
        gain = one.std() * one[0].numel() ** 0.5
        assert abs(gain / (2 / 1.04) ** 0.5 - 1) < 0.06
        assert abs(deep.std() / one.std() / 64 ** (-1 / (2 * layers - 2)) - 1) < 0.06


def test_clips_are_convolved_as_by_three_dimensional_kernels():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 5, 4, 6, dtype=torch.float64)
    for memory in (torch.contiguous_format, torch.channels_last_3d):
        given = x.contiguous(memory_format=memory)
        position, space, time = (
            PositionLinear(8, 3).double(),
            SpaceConv(8, 2, gain=1.0),
            TimeConv(8, 4, gain=1.0),
        )
        torch.testing.assert_close(position(given), F.conv3d(x, position.weight[:, :, None, None, None]))
        kernel = space.double().weight[:, :, None]
        expected = F.conv3d(x, kernel, space.bias, padding=(0, 1, 1), groups=2)
        torch.testing.assert_close(space(given), expected)
        kernel = time.double().weight[..., None]  # (O, I, 3, 1, 1)
        torch.testing.assert_close(time(given), F.conv3d(x, kernel, time.bias, padding=(1, 0, 0), groups=4))


def test_without_time_clips_are_frames():
    block = ResidualBlock(4, blocks=1, expansion=2, group_width=4, clips=False)
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    clips = torch.randn(2, 4, 3, 6, 6)
    frames = clips.transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(block(clips).transpose(1, 2).flatten(0, 1), block(frames))


@pytest.mark.parametrize("time", [False, True])
def test_resampling_changes_sizes_and_width(time: bool):
    x = torch.randn(2, 4, 6, 8, 8)
    frames = (12, 3) if time else (6, 6)
    assert Resample(4, 2, up=True, time=time)(x).shape == (2, 2, frames[0], 16, 16)
    assert Resample(4, 6, up=False, time=time)(x).shape == (2, 6, frames[1], 4, 4)
    assert Resample(4, 4, up=True)(x[:, :, 0]).shape == (2, 4, 16, 16)
    still = torch.ones(1, 1, 6, 8, 8)
    assert torch.equal(
        Resample(1, 1, up=time, time=True)(still).std(2), torch.zeros(1, 1, *[16 if time else 4] * 2)
    )


def test_basis_and_verdict_read_as_products():
    basis, verdict = Basis(3, 5, (2, 4, 4)), Verdict(5, 6, (2, 4, 4))
    code = torch.randn(7, 3)
    maps = basis(code)
    torch.testing.assert_close(
        maps, torch.einsum("ncz,ctyx->nctyx", basis.scale(code)[:, :, None], basis.maps)
    )
    against = torch.einsum("nctyx,ctyx->nc", maps, verdict.maps)
    torch.testing.assert_close(verdict(maps), verdict.linear(against))


def test_a_network_keeps_variance_at_any_depth():
    torch.manual_seed(0)
    deep = stages([32, 32, 32], up=True, blocks=4, expansion=2, group_width=16)
    for layer in deep.modules():
        if isinstance(layer, ResidualBlock):
            nn.init.normal_(layer.layers[-1].weight, std=64**-0.5)  # as if the last layers had been drawn too
    x = torch.randn(4, 32, 4, 4)
    with torch.no_grad():
        assert 0.5 < deep(x).std() < 4


@pytest.mark.parametrize(
    ("frames", "lengths"),
    [
        (16, [2, 4, 8, 16, 16]),
        (16, [4, 8, 16]),
        (8, [2, 4, 8, 8]),
        (12, [3, 6, 12, 12]),
        (7, [7, 7, 7]),
        (16, [16]),
        (1, [1, 1]),
    ],
)
def test_time_doubles_in_the_first_stages(frames: int, lengths: list[int]):
    assert clip_lengths(frames, len(lengths)) == lengths


@pytest.mark.parametrize("shape", [(2, 5, 3, 4), (2, 5, 6, 3, 4)])
def test_patches_are_painted_where_they_are_seen(shape: tuple[int, ...]):
    paint, see = ToPixels(5, 3, 2), FromPixels(3, 12, 2)
    x = torch.randn(shape)
    pixels = paint(x)
    assert pixels.shape == (2, 3, *shape[2:-2], 6, 8)
    with torch.no_grad():
        see.linear.weight.copy_(torch.eye(12))
    torch.testing.assert_close(see(pixels), paint.linear(x))
    one = x.clone()
    one[..., 1, 2] += 1
    changed = (paint(one) != pixels).flatten(0, -3).any(0)
    assert changed.nonzero().tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]


def test_stages_that_remain_between_the_first_map_and_the_patches():
    assert [stage_count(64, patch) for patch in (1, 2, 4)] == [5, 4, 3]


def test_groups_divide_the_width():
    assert [group_count(c, 16) for c in (1536, 768, 192, 8, 40, 56)] == [96, 48, 12, 1, 2, 2]


@pytest.mark.parametrize("name", ["blocks", "expansion", "group_width"])
def test_what_stages_refuse(name: str):
    with pytest.raises(ValueError, match=f"{name}=0: must be at least 1"):
        stages([4, 4], up=True, **{"blocks": 1, "expansion": 2, "group_width": 4} | {name: 0})
