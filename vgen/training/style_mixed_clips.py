"""Style mixing to look at: clips in a grid whose rows give the coarse styles and whose columns give the fine ones."""

import torch
from torch import Tensor

from vgen.clip import style_shape
from vgen.training.generated_clips import GeneratedClips


def style_mixed_clips(clips: GeneratedClips, *, coarse: int | None = None) -> Tensor:
    """Clips (N, N, T, H, W, C) uint8, on the CPU, of the N in `clips`: row i has the styles of clip i in the first
    `coarse` layers (half of them by default), its motion and its label; column j the styles of clip j in the others. On
    the diagonal are the clips themselves.

    Source: Karras et al. 2019, arXiv 1812.04948, fig. 3.

    Raises:
        ValueError: a generator without styles, or a number of layers that it does not have.
    """
    shape = style_shape(clips.generator)
    if shape is None:
        raise ValueError("this generator has no style for each of its layers")
    coarse = shape[0] // 2 if coarse is None else coarse
    if not 0 < coarse < shape[0]:
        raise ValueError(
            f"style_mixing.coarse={coarse}: this generator has {shape[0]} layers; give 1 to {shape[0] - 1}"
        )
    everyone = range(len(clips))
    codes = clips.latents(everyone, "sample")
    w = clips.styles(codes, everyone)
    rows = []
    for i in everyone:
        own = {name: part[i : i + 1].expand_as(part) for name, part in codes.items()}
        mixed = torch.cat([w[i : i + 1, :coarse].expand(len(w), -1, -1), w[:, coarse:]], 1)
        rows.append(clips.make(own | {"w": mixed}, [i] * len(w)))
    return torch.stack(rows)
