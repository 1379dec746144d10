"""ADA's geometry: whole-pixel moves, which are exact, and one affine map, which resamples."""

import math

import torch
from torch import Tensor

from vgen.augment.chance import Chance, change_where
from vgen.layer.grid import sample_bilinear
from vgen.layer.wavelet import MARGIN, PHASE, double, halve, reflect

FLIPS = ("flip", "quarter_turn", "translation", "translation_y")
AFFINE = ("scale", "rotation", "rotation_after", "stretch", "fraction", "fraction_y")
_FARTHEST = 0.125  # of the frame's side: whole-pixel translation, and the spread of the fractional one
_SPREAD = 0.2  # of log2 of the scale


def move_pixels(
    video: Tensor, chance: Chance, *, flip: float, quarter_turn: float, translation: float
) -> Tensor:
    """Mirrors left-right, turns by a multiple of 90 degrees and shifts by whole pixels, all without resampling.

    Whole frames that are not square are only turned by 180 degrees. What comes in from outside is mirrored.
    """
    mirrored = chance.happens("flip", flip) & (chance.uniform("flip") < 0.5)
    video = change_where(mirrored, video, lambda v: v.flip(4))
    turns = (chance.uniform("quarter_turn") * 4).floor()
    turned = chance.happens("quarter_turn", quarter_turn)
    square = video.shape[3] == video.shape[4]
    for number in (1, 2, 3) if square else (2,):
        video = change_where(turned & (turns == number), video, lambda v, k=number: v.rot90(k, (3, 4)))
    shifted = chance.happens("translation", translation)
    for dim, name in ((3, "translation_y"), (4, "translation")):
        shift = ((chance.uniform(name) * 2 - 1) * _FARTHEST * video.shape[dim]).round().long()
        video = change_where(shifted & (shift != 0), video, lambda v, s, d=dim: _shift(v, s, d), shift)
    return video


def _shift(video: Tensor, shift: Tensor, dim: int) -> Tensor:
    size = video.shape[dim]
    source = reflect(torch.arange(size, device=video.device) - shift[:, None], size)  # (B, size)
    along = [len(shift), 1, 1, 1, 1]
    along[dim] = size
    return video.gather(dim, source.view(along).expand_as(video))


def affine(
    video: Tensor, chance: Chance, *, scale: float, rotation: float, stretch: float, fraction: float
) -> Tensor:
    """Scales, turns, stretches, turns again and shifts by parts of a pixel: one map, one resampling."""
    happens = {"scale": chance.happens("scale", scale), "stretch": chance.happens("stretch", stretch)}
    happens["fraction"] = chance.happens("fraction", fraction)
    for name in ("rotation", "rotation_after"):
        happens[name] = chance.happens_in_one_of_two(name, rotation)

    def drawn(name: str, value: Tensor) -> Tensor:
        return torch.where(happens[name], value, torch.zeros_like(value))

    zoom = drawn("scale", chance.normal("scale") * _SPREAD).exp2()
    longer = drawn("stretch", chance.normal("stretch") * _SPREAD).exp2()
    before, after = (
        drawn(name, (chance.uniform(name) * 2 - 1) * math.pi) for name in ("rotation", "rotation_after")
    )
    # From a position in the result back to one in the source: the operations' inverses, the first one leftmost.
    back = _turn(-before) @ _stretch(1 / longer) @ _turn(-after) / zoom[:, None, None]
    moved = torch.stack(
        [
            drawn("fraction", chance.normal("fraction")) * _FARTHEST * video.shape[4],
            drawn("fraction", chance.normal("fraction_y")) * _FARTHEST * video.shape[3],
        ],
        1,
    )
    chosen = torch.stack(list(happens.values())).any(0)
    return change_where(chosen, video, warp, back, moved)


def warp(video: Tensor, back: Tensor, moved: Tensor) -> Tensor:
    """The pixel at position q of the result is the source's at back (q - moved).

    Positions are (x, y) in pixels from the centre of the frame, y downwards. The picture is doubled and halved again
    by an orthogonal wavelet around the sampling, and mirrored beyond its edges.

    Args:
        video: (B, C, T, H, W).
        back: (B, 2, 2).
        moved: (B, 2).
    """
    _, channels, _, height, width = video.shape
    back, moved = back.to(video.dtype), moved.to(video.dtype)
    rows, columns = _fine_positions(height, back), _fine_positions(width, back)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    target = torch.stack([x, y], 2).flatten(0, 1) - moved[:, None]  # (B, h w, 2)
    source = target @ back.mT
    along = [
        (2 * reflect(source[..., i] + (size - 1) / 2, size) + PHASE) / (2 * size - 1) * 2 - 1
        for i, size in ((0, width), (1, height))
    ]
    grid = torch.stack(along, 2).unflatten(1, y.shape)  # (B, h, w, 2)
    return halve(sample_bilinear(double(video.flatten(1, 2)), grid)).unflatten(1, (channels, -1))


def _fine_positions(size: int, like: Tensor) -> Tensor:
    """Where the rows of the doubled picture lie, with the margin that halving wants; 0 is the centre."""
    index = torch.arange(-MARGIN, 2 * size + MARGIN, device=like.device, dtype=like.dtype)
    return (index - PHASE) / 2 - (size - 1) / 2


def _turn(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # (B, 2, 2)


def _stretch(factor: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([factor, 1 / factor], 1))
