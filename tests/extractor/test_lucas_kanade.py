import math

import pytest
import torch
from moving import pixels, texture

from vgen.extractor.lucas_kanade import optical_flow, sample, warp

SIZE = 64
MIDDLE = (SIZE - 1) / 2


def frames(*sources):
    """(1, 1, H, W) each, 8 bits deep: the texture at the given points."""
    return [(255 * texture(*source)).round().float()[None, None] / 255 for source in sources]


def error(flow, truth, margin=8):
    """Mean length of the error inside a margin, in pixels."""
    inner = slice(margin, SIZE - margin)
    return (flow - truth).norm(dim=1)[:, inner, inner].mean().item()


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(
    ("velocity", "tolerance"),
    [((0.1, 0.0), 0.03), ((0.5, -0.25), 0.06), ((-1.3, 0.7), 0.06), ((6.0, 4.0), 0.3)],
)
def test_translation(velocity, tolerance, centred):
    x, y = pixels(SIZE, SIZE)
    first, second = frames((x, y), (x - velocity[0], y - velocity[1]))
    flow = optical_flow(first, second, centred=centred)
    assert error(flow, torch.tensor(velocity)[:, None, None]) < tolerance


@pytest.mark.parametrize(
    ("matrix", "tolerance"),
    [
        (
            [[math.cos(0.06), -math.sin(0.06)], [math.sin(0.06), math.cos(0.06)]],
            0.2,
        ),  # 3.4 degrees, up to 2.7 pixels
        ([[1.04, 0.0], [0.0, 1.04]], 0.1),  # up to 1.8 pixels
    ],
)
def test_rotation_and_zoom(matrix, tolerance):
    matrix = torch.tensor(matrix, dtype=torch.float64)
    points = torch.stack(pixels(SIZE, SIZE)) - MIDDLE
    came_from = torch.einsum("ij,jhw->ihw", matrix.inverse(), points) + MIDDLE
    first, second = frames(points + MIDDLE, came_from)
    truth = torch.einsum("ij,jhw->ihw", matrix, points) - points
    assert error(optical_flow(first, second), truth) < tolerance


def test_still_empty_and_brightening_frames_do_not_move():
    frame = frames(pixels(SIZE, SIZE))[0]
    assert not optical_flow(frame, frame).any()
    assert not optical_flow(torch.zeros_like(frame), torch.full_like(frame, 0.3)).any()
    assert optical_flow(frame, frame + 0.1).abs().max() < 1e-3


def test_only_what_moves_has_flow():
    first, second = torch.zeros(2, 1, 1, SIZE, SIZE)
    first[..., 20:32, 10:22] = 1
    second[..., 20:32, 12:24] = 1
    flow = optical_flow(first, second)[0]
    torch.testing.assert_close(flow[:, 26, 11], torch.tensor([2.0, 0.0]), atol=0.1, rtol=0)
    assert not flow[:, :, 40:].any()


def test_warp_reads_where_the_flow_points():
    frame = torch.arange(12.0).reshape(1, 1, 3, 4)
    right = torch.zeros(1, 2, 3, 4)
    right[:, 0] = 1
    expected = torch.tensor([[1.0, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]])  # the border is repeated
    torch.testing.assert_close(warp(frame, right)[0, 0], expected)
    between = torch.tensor([1.5, 1.0]).reshape(1, 2, 1, 1)
    assert sample(frame, between).item() == pytest.approx(5.5)
