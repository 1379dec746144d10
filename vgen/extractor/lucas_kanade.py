"""Dense optical flow without weights: coarse-to-fine iterated Lucas-Kanade."""

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOW = 2.0  # pixels, at every level: standard deviation of the Gaussian window that shares a displacement
_ROUNDS = 2  # Gauss-Newton steps per level
_COARSEST = 8  # pixels on the shorter side of the coarsest level
# mean squared gradient, of grey values in [0, 1], at which the picture says as much of motion as the previous
# round does: about one grey level per pixel, the size of quantisation
_FLOOR = 2e-5


def optical_flow(first: Tensor, second: Tensor, *, centred: bool = False) -> Tensor:
    """Displacement v of every pixel from frame `first` to frame `second`.

    From the coarsest level of a pyramid of halvings on, Gauss-Newton steps minimise the sum over a Gaussian window
    around x of (second(y + v) - first(y) - c)^2, plus _FLOOR |v - v_before|^2, over v and a change of brightness c. The
    gradient is that of the mean of both frames, brought together by the flow so far. Where the result explains the
    window no better than standing still does, and where there is no texture, the flow is 0. Motions of up to about an
    eighth of the frame are found; where motion varies within the window, its mean weighted by texture is (an error of
    a tenth in a rotation by 3 degrees). Source: Lucas & Kanade 1981; Bouguet, Pyramidal Implementation of the Lucas
    Kanade Feature Tracker, 1999.

    Args:
        first, second: (N, 1, H, W) float grey values in [0, 1], H and W powers of two.
        centred: x is the middle of the motion, first(y - v/2) against second(y + v/2), as interpolation needs it.

    Returns:
        (N, 2, H, W): v_x (to the right) and v_y (down), in pixels.
    """
    levels = [(_smooth(first), _smooth(second))]
    while min(levels[-1][0].shape[-2:]) >= 2 * _COARSEST:
        a, b = levels[-1]
        levels.append((_half(a), _half(b)))
    flow = first.new_zeros(len(first), 2, *levels[-1][0].shape[-2:])
    for a, b in reversed(levels):
        if flow.shape[-2:] != a.shape[-2:]:
            flow = 2 * F.interpolate(flow, a.shape[-2:], mode="bilinear", align_corners=False)
        for _ in range(_ROUNDS):
            flow = _solve(*_bring_together(a, b, flow, centred=centred), flow)
    a, b = levels[0]
    moved_a, moved_b, _ = _bring_together(a, b, flow, centred=centred)
    gx, gy = _gradient((moved_a + moved_b) / 2)
    still, moved, texture = _variance(b - a), _variance(moved_b - moved_a), _window(gx.square() + gy.square())
    return flow * ((moved < still) & (texture > _FLOOR / 2))


def warp(frames: Tensor, flow: Tensor) -> Tensor:
    """frames (N, C, H, W) read at x + flow(x), bilinearly, the border repeated; flow (N, 2, H, W) in pixels."""
    return sample(frames, pixel_grid(flow) + flow)


def sample(fields: Tensor, points: Tensor) -> Tensor:
    """Values (N, C, h, w) of fields (N, C, H, W) at points (N, 2, h, w), x and y in pixels, bilinearly."""
    size = points.new_tensor([fields.shape[-1], fields.shape[-2]])
    grid = (2 * points.permute(0, 2, 3, 1) + 1) / size - 1
    return F.grid_sample(fields, grid, mode="bilinear", padding_mode="border", align_corners=False)


def pixel_grid(like: Tensor) -> Tensor:
    """(2, H, W): the x and y of every pixel of `like` (..., H, W)."""
    y, x = torch.meshgrid(
        torch.arange(like.shape[-2], device=like.device, dtype=like.dtype),
        torch.arange(like.shape[-1], device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack([x, y])


def _bring_together(a: Tensor, b: Tensor, flow: Tensor, *, centred: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Both frames, warped to where the flow says that they agree; and 1 where neither was read beyond its border."""
    if not centred:
        return a, warp(b, flow), _inside(flow)
    return warp(a, -flow / 2), warp(b, flow / 2), _inside(-flow / 2) * _inside(flow / 2)


def _solve(a: Tensor, b: Tensor, inside: Tensor, flow: Tensor) -> Tensor:
    """The next flow (N, 2, H, W), at most a pixel per axis away from `flow`.

    Solved for the flow rather than for its increment: the pixels of a window were warped by flows of their own, and
    an increment common to all of them would keep their differences, which then grow from round to round.
    """
    gx, gy = (gradient * inside for gradient in _gradient((a + b) / 2))
    u, v = flow.split(1, dim=1)
    gt = b - a - gx * u - gy * v
    moments = _window(torch.cat([gx * gx, gx * gy, gy * gy, gx * gt, gy * gt, gx, gy, gt], dim=1))
    xx, xy, yy, xt, yt, x, y, t = moments.split(1, dim=1)
    # covariances, so that a window may grow brighter or darker as a whole
    xx, xy, yy, xt, yt = xx - x * x, xy - x * y, yy - y * y, xt - x * t, yt - y * t
    xx, yy, xt, yt = xx + _FLOOR, yy + _FLOOR, xt - _FLOOR * u, yt - _FLOOR * v
    solved = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / (xx * yy - xy * xy)
    return flow + (solved - flow).clamp_(-1, 1)


def _gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return (x[..., 1:-1, 2:] - x[..., 1:-1, :-2]) / 2, (x[..., 2:, 1:-1] - x[..., :-2, 1:-1]) / 2


def _inside(flow: Tensor) -> Tensor:
    points = pixel_grid(flow) + flow
    limit = flow.new_tensor([flow.shape[-1] - 1, flow.shape[-2] - 1])[:, None, None]
    return ((points >= 0) & (points <= limit)).all(dim=1, keepdim=True).to(flow.dtype)


def _window(x: Tensor) -> Tensor:
    """Gaussian mean around every pixel of (..., H, W); weights beyond the border go to the rest."""
    height, width = x.shape[-2:]
    return _gaussian(height, x) @ x @ _gaussian(width, x).T


def _variance(x: Tensor) -> Tensor:
    return _window(x.square()) - _window(x).square()


def _gaussian(size: int, like: Tensor) -> Tensor:
    """(size, size), rows summing to 1: as a product of matrices the blur costs less than as a convolution."""
    at = torch.arange(size, device=like.device, dtype=like.dtype)
    apart = (at[:, None] - at).abs()
    # cut off before the weights become denormal numbers, with which processors are slow
    weights = torch.exp(-(apart / _WINDOW).square() / 2) * (apart <= 4 * _WINDOW)
    return weights / weights.sum(dim=1, keepdim=True)


def _half(x: Tensor) -> Tensor:
    return F.avg_pool2d(_smooth(x), 2)


def _smooth(x: Tensor) -> Tensor:
    """Blurred by (1, 2, 1) / 4 along both axes."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 4
    return (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 4
