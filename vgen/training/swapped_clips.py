"""Motion x content: clips in a grid whose rows share the content code and whose columns share the motion code."""

import torch
from torch import Tensor

from vgen.training.generated_clips import GeneratedClips

MOTION = "motion"


def swapped_clips(clips: GeneratedClips) -> Tensor:
    """Clips (N, N, T, H, W, C) uint8, on the CPU, of the N in `clips`: row i has the content, column j the motion of
    clip j, and its label. On the diagonal are the clips themselves.

    Motion is what the generator calls "motion" or "motion_...", content all other parts of its latent.

    Raises:
        ValueError: the latent has no such part, or none besides.
    """
    everyone = range(len(clips))
    codes = clips.latents(everyone, "sample")
    moving = [name for name in codes if name == MOTION or name.startswith(f"{MOTION}_")]
    if not moving or len(moving) == len(codes):
        raise ValueError(f"its latent does not tell motion from content: it has {', '.join(codes)}")
    rows = []
    for i in everyone:
        content = {
            name: part[i : i + 1].expand_as(part) for name, part in codes.items() if name not in moving
        }
        rows.append(clips.make(codes | content, everyone))
    return torch.stack(rows)
