"""Clips whose motion is known."""

from collections.abc import Callable

import torch
from torch import Tensor

Motion = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def texture(x: Tensor, y: Tensor, *, seed: int = 0) -> Tensor:
    """Grey values in [0, 1] of a fixed random band-limited texture at any points x, y in pixels."""
    rng = torch.Generator().manual_seed(seed)
    waves = (torch.rand(24, 2, generator=rng, dtype=torch.float64) - 0.5) * 1.2  # radians per pixel
    phase = torch.rand(24, generator=rng, dtype=torch.float64) * 6.3
    weight = 1 / (waves.norm(dim=1) + 0.1)
    angle = waves[:, 0, None, None] * x + waves[:, 1, None, None] * y + phase[:, None, None]
    picture = (weight[:, None, None] * torch.sin(angle)).sum(dim=0)
    return (0.5 + picture / weight.square().sum().sqrt() / 5).clamp(0, 1)


def pixels(height: int, width: int) -> tuple[Tensor, Tensor]:
    """x and y of every pixel, (H, W) float64."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    return x, y


def moving_clip(
    frames: int, height: int, width: int, source: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
):
    """(1, T, H, W, 1) uint8: frame t shows at (x, y) the texture at source(x, y, t)."""
    x, y = pixels(height, width)
    video = torch.stack([texture(*source(x, y, t)) for t in range(frames)])
    return (255 * video).round().to(torch.uint8)[None, ..., None]


def translating_clip(
    velocity: tuple[float, float], *, frames: int = 4, height: int = 64, width: int = 64
) -> Tensor:
    """A texture that moves by `velocity` pixels per frame, right and down."""
    return moving_clip(frames, height, width, lambda x, y, t: (x - t * velocity[0], y - t * velocity[1]))
