"""The world in which the embedded extractor grew up: procedural clips whose every factor is known.

A background (a texture seen by a still or moving camera), an object (a texture cut out in a shape) that moves in one
of a dozen ways, sometimes a second one. Everything is drawn from a generator that is handed in; nothing is read.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.extractor.embedded_textures import SHEET, SPRITE, Textures

MOTIONS = (
    "still",
    "translate",
    "accelerate",
    "oscillate",
    "bounce",
    "orbit",
    "wander",
    "rotate",
    "zoom",
    "shear",
    "deform",
    "pair",  # a second object moves on its own
    "pan",  # the camera translates
    "approach",  # the camera zooms
    "roll",  # the camera rotates
)

_SIZE = 64
_CUT = slice((SHEET - SPRITE) // 2, (SHEET + SPRITE) // 2)
_TAU = 2 * math.pi

Uniform = Callable[..., Tensor]  # (low, high, *shape) -> (B, *shape)


@dataclass(frozen=True)
class Scenes:
    """Clips and what is true of them.

    Attributes:
        video: (B, 3, T, 64, 64) float in [0, 1].
        motion: (B,) int64, index into `MOTIONS`.
        background, texture: (B,) int64, index into `TEXTURES`: of the background and of the object.
        shape: (B,) int64, index into `SHAPES`.
        velocity: (B, 4) float: across and down (pixels per frame), angle (hundredths of a turn per frame) and size
            (hundredths of an octave per frame) of whatever moves, each the mean over the clip.
        speed: (B,) float: log2 of 1/8 plus the mean distance in pixels that a moving point covers per frame.
    """

    video: Tensor
    motion: Tensor
    background: Tensor
    texture: Tensor
    shape: Tensor
    velocity: Tensor
    speed: Tensor


def draw_scenes(count: int, frames: int, textures: Textures, rng: torch.Generator) -> Scenes:
    """`count` scenes of `frames` frames, all factors drawn from `rng`."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=rng)

    motion = torch.randint(len(MOTIONS), (count,), generator=rng)
    speed = torch.exp2(uniform(-7.5, -3))  # half sides of the frame per frame: 0.18 to 4 pixels
    camera = motion >= MOTIONS.index("pan")
    thing = _paths(torch.where(camera, 0, motion), speed, frames, uniform)
    view = _paths(_camera_motion(motion), speed, frames, uniform)

    choice = torch.randint(len(textures.family), (4, count), generator=rng)
    sheet, sprite, cutout, other = choice
    lens = uniform(0.45, 0.7)
    grid = _grid(view, centre=uniform(-0.2, 0.2, 2), size=1 / lens)
    # a still camera's background is sampled once
    video = _sample(textures.sheets[sheet], grid[:, :1], padding="reflection").repeat(1, 1, frames, 1, 1)
    video[camera] = _sample(textures.sheets[sheet[camera]], grid[camera], padding="reflection")
    # sometimes nothing but the object is lit, as in toy sets
    lit = (torch.rand(count, generator=rng) > 0.15) | camera
    video = video * lit.float()[:, None, None, None, None]

    # a camera's scene may be empty
    present = ((torch.rand(count, generator=rng) > 0.4) | ~camera).float()
    size = uniform(0.22, 0.7)
    centre = uniform(-0.55, 0.55, 2)
    tint = uniform(-0.35, 0.35, 3)
    image = (textures.sheets[sprite][:, :, _CUT, _CUT] + tint[:, :, None, None]).clamp(0, 1)
    video = _paste(video, image, textures.masks[cutout], _grid(thing, centre=centre, size=size), present)

    pair = (motion == MOTIONS.index("pair")).nonzero()[:, 0]
    if len(pair):
        kind = torch.randint(1, MOTIONS.index("zoom"), (count,), generator=rng)
        second = _paths(kind, speed * uniform(0.5, 1.5), frames, uniform)
        grid = _grid(second, centre=-centre, size=size * uniform(0.7, 1.1))
        image = textures.sheets[other][:, :, _CUT, _CUT]
        masks = textures.masks[sprite]
        video[pair] = _paste(video[pair], image[pair], masks[pair], grid[pair], torch.ones(len(pair)))

    video = _expose(video, uniform)
    moved = torch.where(camera[:, None, None], view.places, thing.places)  # (B, T, 4)
    steps = (moved[:, 1:] - moved[:, :-1]) * torch.tensor([_SIZE / 2, _SIZE / 2, 100 / _TAU, 100])
    # a point half way out also turns, recedes, slides and waves
    reach = torch.where(camera, 0.6, 0.6 * size)[:, None] * _SIZE / 2
    turned = steps[..., 2] * _TAU / 100, steps[..., 3] * math.log(2) / 100
    swayed = thing.skew.diff(dim=1) / 2, thing.bent.diff(dim=1) * 0.16 * torch.pi / 2
    swung = torch.stack([*turned, *swayed], dim=2).square().sum(dim=2) * reach.square()
    covered = (steps[..., :2].square().sum(dim=2) + swung).sqrt()
    return Scenes(
        video=video,
        motion=motion,
        background=textures.family[sheet],
        texture=textures.family[sprite],
        shape=textures.shape[cutout],
        velocity=steps.mean(dim=1).clamp(-4, 4),
        speed=torch.log2(covered.mean(dim=1) + 0.125),
    )


@dataclass(frozen=True)
class _Paths:
    """Where things are, `places` (B, T, 4): across, down, angle, log2 size; and how deformed, `skew`, `bent` (B, T)."""

    places: Tensor
    skew: Tensor
    bent: Tensor


def _camera_motion(motion: Tensor) -> Tensor:
    table = torch.zeros(len(MOTIONS), dtype=torch.int64)
    for camera, own in (("pan", "translate"), ("approach", "zoom"), ("roll", "rotate")):
        table[MOTIONS.index(camera)] = MOTIONS.index(own)
    return table[motion]


def _paths(motion: Tensor, speed: Tensor, frames: int, uniform: Uniform) -> _Paths:
    """Motion of each kind at the speed (half sides per frame) of each clip."""
    time = torch.arange(frames) - (frames - 1) / 2
    heading = uniform(0, _TAU)
    ahead = torch.stack([heading.cos(), heading.sin()], dim=1)[:, None]  # (B, 1, 2)
    along = speed[:, None] * time  # (B, T)
    phase = uniform(0, _TAU)[:, None]
    swing = uniform(0.08, 0.4)[:, None]  # amplitude
    turn = along / swing + phase
    sign = uniform(-1, 1)[:, None].sign()

    faster = sign * speed[:, None] * (0.5 * time + time.abs() * time / max(frames - 1, 1) * 1.5 * sign)
    to_and_fro = swing * turn.sin()
    # a triangle wave
    bouncing = swing * ((turn * (2 / math.pi) % 4) - 2).abs()
    bouncing = bouncing - bouncing.mean(dim=1, keepdim=True)
    knots = max(3, frames // 4 + 2)
    smooth = F.interpolate(uniform(-1, 1, 2, knots), frames, mode="linear", align_corners=True)
    smooth = F.avg_pool1d(F.pad(smooth, (1, 1), mode="replicate"), 3, 1)
    wander = smooth.transpose(1, 2) * (4 * speed)[:, None, None]
    circle = swing[..., None] * torch.stack([turn.cos(), (sign * turn).sin()], dim=2)

    named = {name: (motion == i).float() for i, name in enumerate(MOTIONS)}
    line = (
        (named["translate"] + named["pair"])[:, None] * along
        + named["accelerate"][:, None] * faster
        + named["oscillate"][:, None] * to_and_fro
        + named["bounce"][:, None] * bouncing
    )
    across = (
        line[..., None] * ahead
        + named["orbit"][:, None, None] * circle
        + named["wander"][:, None, None] * wander
    )
    angle = (
        uniform(0, _TAU)[:, None] * (uniform(0, 1)[:, None] > 0.5)
        + named["rotate"][:, None] * sign * along * 3
    )
    octaves = named["zoom"][:, None] * sign * along * 2
    skew = named["shear"][:, None] * torch.where(swing > 0.2, turn.sin(), along * 2) * 0.8
    bent = named["deform"][:, None] * along * 12 + phase * named["deform"][:, None]
    places = torch.cat([across, angle[..., None], octaves[..., None]], dim=2)
    return _Paths(places, skew.clamp(-1.2, 1.2), bent)


def _grid(paths: _Paths, *, centre: Tensor, size: Tensor) -> Tensor:
    """Where each pixel of each frame lies on the picture of a thing: (B, T, 64, 64, 2), the picture in [-1, 1]."""
    side = (torch.arange(_SIZE) + 0.5) / _SIZE * 2 - 1
    down, across = torch.meshgrid(side, side, indexing="ij")
    at = centre[:, None] + paths.places[..., :2]
    x = across - at[..., 0, None, None]
    y = down - at[..., 1, None, None]
    scale = (size[:, None] * torch.exp2(paths.places[..., 3].clamp(-2, 1.5)))[..., None, None]
    cos, sin = (f(paths.places[..., 2])[..., None, None] / scale for f in (torch.cos, torch.sin))
    u, v = cos * x + sin * y, cos * y - sin * x
    u = u + paths.skew[..., None, None] * v
    bends = paths.bent[..., None, None]
    u = u + torch.where(bends != 0, 0.25 * torch.sin(3 * v + bends), torch.zeros(()))
    return torch.stack([u, v], dim=4)


def _sample(image: Tensor, grid: Tensor, *, padding: str) -> Tensor:
    """(B, C, h, w) at the grid (B, T, 64, 64, 2) of every frame: (B, C, T, 64, 64)."""
    flat = F.grid_sample(image, grid.flatten(1, 2), padding_mode=padding, align_corners=False)
    return flat.unflatten(2, (grid.shape[1], _SIZE))


def _paste(video: Tensor, image: Tensor, mask: Tensor, grid: Tensor, present: Tensor) -> Tensor:
    sprite = _sample(torch.cat([image * mask, mask], dim=1), grid, padding="zeros")
    shown = present[:, None, None, None, None]
    return video * (1 - shown * sprite[:, 3:]) + shown * sprite[:, :3]


def _expose(video: Tensor, uniform: Uniform) -> Tensor:
    """Contrast, brightness and grey films."""
    gain, offset = uniform(0.55, 1.1), uniform(-0.05, 0.2)
    dark = (uniform(0, 1) > 0.3).float()
    video = video * (1 + dark * (gain - 1))[:, None, None, None, None]
    video = video + (dark * offset * (1 - gain).clamp(min=0))[:, None, None, None, None]
    grey = (uniform(0, 1) < 0.2).float()[:, None, None, None, None]
    return torch.lerp(video, video.mean(dim=1, keepdim=True), grey).clamp_(0, 1)
