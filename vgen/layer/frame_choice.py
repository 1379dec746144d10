"""Which frames of each clip a judge sees, drawn from the stream in use."""

import torch
from torch import Tensor

from vgen.rng import draw_rows


def check_image_frames(image_frames: int, frames: int, *, least: int = 1) -> None:
    """ValueError unless a judge can see `image_frames` of the `frames` of a clip."""
    if not least <= image_frames <= frames:
        raise ValueError(
            f"discriminator.image_frames={image_frames} must lie between {least} and the {frames} frames of a clip "
            "(clip.frames)"
        )


def random_frames(batch: int, frames: int, count: int) -> Tensor:
    """Index (B, count) of `count` different frames of each clip of `frames`, in random order, all alike likely."""
    chance = draw_rows(batch, lambda rows, rng: torch.rand(rows, frames, generator=rng))
    return chance.argsort(1)[:, :count]


def halved_frames(batch: int, frames: int, levels: int) -> list[Tensor]:
    """Index (B, frames >> level) of the frames at each level: all, then every second one of the level before.

    Where a level begins, at the first or second frame of the one before, is drawn for each clip and level.
    """
    shape = (levels - 1, 1)
    phase = draw_rows(batch, lambda rows, rng: torch.randint(2, (rows, *shape), generator=rng))
    index = [torch.arange(frames).expand(batch, -1)]
    for level in range(levels - 1):
        kept = index[-1].shape[1] // 2
        index.append(index[-1].gather(1, phase[:, level] + 2 * torch.arange(kept)))
    return index


def random_stretch(batch: int, frames: int, count: int, *, step: int = 1) -> Tensor:
    """Index (B, count) of frames `step` apart from a random first one, all possible first ones alike likely."""
    firsts = frames - (count - 1) * step
    drawn = draw_rows(batch, lambda rows, rng: torch.randint(firsts, (rows, 1), generator=rng))
    return drawn + step * torch.arange(count)
