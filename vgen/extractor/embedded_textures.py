"""Textures and shapes of which the embedded extractor's world is made: drawn, never read."""

import math

import torch
from torch import Tensor

TEXTURES = ("flat", "ramp", "grain", "cloud", "grating", "checker", "spots", "mosaic")
SHAPES = ("disc", "ellipse", "polygon", "star", "blob", "ring", "figure")

SHEET = 96  # pixels of a texture's side
SPRITE = 64  # and of a shape's
_TAU = 2 * math.pi


class Textures:
    """A stock of textures and cut-out shapes; `refresh` renews part of it, so that no two batches see the same."""

    def __init__(self, count: int, rng: torch.Generator) -> None:
        self.family = torch.arange(count) % len(TEXTURES)
        self.sheets = torch.stack([_texture(int(family), rng) for family in self.family])
        self.shape = torch.arange(count) % len(SHAPES)
        self.masks = torch.stack([_mask(int(shape), rng) for shape in self.shape])

    def refresh(self, count: int, rng: torch.Generator) -> None:
        for i in torch.randperm(len(self.family), generator=rng)[:count].tolist():
            self.sheets[i] = _texture(int(self.family[i]), rng)
            self.masks[i] = _mask(int(self.shape[i]), rng)


def _texture(family: int, rng: torch.Generator) -> Tensor:
    """(3, 96, 96) in [0, 1]."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng)

    name = TEXTURES[family]
    dark, light = torch.sort(uniform(2, 3), dim=0).values[:, :, None, None]
    if float(uniform()) < 0.5:
        # hues that differ, not only brightness
        dark, light = uniform(2, 3)[:, :, None, None]
    side = torch.linspace(-1, 1, SHEET)
    y, x = torch.meshgrid(side, side, indexing="ij")
    angle = _TAU * uniform()
    across = x * angle.cos() + y * angle.sin()
    if name == "flat":
        share = torch.zeros_like(x)
    elif name == "ramp":
        share = 0.5 + 0.5 * across
    elif name == "grain":
        share = _spectral(1.0, rng)
    elif name == "cloud":
        share = _spectral(1.5 + float(uniform()), rng)
    elif name == "grating":
        share = 0.5 + 0.5 * torch.sin(across * _TAU * (1.5 + 8 * uniform()) + _TAU * uniform())
    elif name == "checker":
        beside = y * angle.cos() - x * angle.sin()
        count = _TAU * (1 + 4 * uniform())
        share = (torch.sin(across * count) * torch.sin(beside * count) * 6 + 0.5).clamp(0, 1)
    else:
        points = uniform(int(6 + 30 * uniform()), 2) * 2.4 - 1.2
        distance = (x[..., None] - points[:, 0]).square() + (y[..., None] - points[:, 1]).square()
        if name == "spots":
            share = ((0.15 - distance.min(dim=2).values.sqrt()) * 40 + 0.5).clamp(0, 1)
        else:
            # cells of different colours under one light
            nearest = distance.argmin(dim=2)
            cells = uniform(len(points), 3)[nearest].permute(2, 0, 1)
            return (cells * (0.6 + 0.4 * _spectral(2.0, rng))).clamp(0, 1)
    picture = dark + (light - dark) * share
    if float(uniform()) < 0.5 and name not in ("flat", "ramp"):
        picture = picture * (0.75 + 0.25 * across)
    if float(uniform()) < 0.5 and name != "flat":
        picture = picture + 0.15 * (_spectral(1.0, rng) - 0.5)
    return picture.clamp(0, 1)


def _spectral(exponent: float, rng: torch.Generator) -> Tensor:
    """Noise (96, 96) in [0, 1] whose amplitude falls as frequency^-exponent: the statistics of natural pictures."""
    noise = torch.fft.rfft2(torch.randn(SHEET, SHEET, generator=rng))
    down, across = torch.fft.fftfreq(SHEET)[:, None], torch.fft.rfftfreq(SHEET)
    noise = torch.fft.irfft2(
        noise / (down.square() + across.square()).sqrt().clamp(min=1 / SHEET) ** exponent
    )
    noise = (noise - noise.mean()) / noise.std()
    return (0.5 + 0.25 * noise).clamp(0, 1)


def _mask(shape: int, rng: torch.Generator) -> Tensor:
    """(1, 64, 64) in [0, 1], one inside the shape, its edge one pixel wide; shapes keep off the border."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng)

    name = SHAPES[shape]
    side = (torch.arange(SPRITE) + 0.5) / SPRITE * 2 - 1
    y, x = torch.meshgrid(side, side, indexing="ij")
    radius, angle = (x.square() + y.square()).sqrt(), torch.atan2(y, x)
    if name == "disc":
        edge = torch.full_like(x, 0.85)
    elif name == "ellipse":
        edge, flat = torch.full_like(x, 0.88), 0.3 + 0.5 * uniform()
        radius = (x.square() + (y / flat).square()).sqrt()
    elif name == "polygon":
        corners = int(3 + 4 * uniform())
        edge = 0.9 * math.cos(math.pi / corners) / torch.cos((angle % (_TAU / corners)) - math.pi / corners)
    elif name == "star":
        edge = 0.6 + 0.28 * torch.sin(angle * int(3 + 5 * uniform()))
    elif name == "blob":
        waves = torch.stack(
            [torch.sin(k * angle + _TAU * uniform()) * uniform() / k for k in range(1, 5)]
        ).sum(0)
        edge = 0.6 + 0.15 * waves
    elif name == "ring":
        width = 0.12 + 0.2 * uniform()
        radius, edge = (radius - 0.6).abs() + 0.6, 0.6 + width
    else:
        # a head, a body and limbs
        limbs = [((0.0, -0.62), (0.0, -0.6), 0.2), ((0.0, -0.3), (0.0, 0.25), 0.17)]
        for hip, foot in ((-0.25, 1.2), (0.25, 1.2)):
            for sign in (-1, 1):
                bend = 0.2 + 0.5 * float(uniform())
                limbs.append(((0.0, hip), (sign * bend, min(0.85, hip + foot * (0.75 - bend / 2))), 0.09))
        near = torch.full_like(x, 9.0)
        for (ax, ay), (bx, by), thick in limbs:
            dx, dy = bx - ax, by - ay
            s = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy + 1e-9)).clamp(0, 1)
            near = torch.minimum(
                near, ((x - ax - s * dx).square() + (y - ay - s * dy).square()).sqrt() - thick
            )
        return (0.5 - near * SPRITE / 2).clamp(0, 1)[None]
    return ((edge - radius) * SPRITE / 2 + 0.5).clamp(0, 1)[None]
