"""Noise of the size of clips that does not depend on the number of processes."""

from collections.abc import Callable

import torch
from torch import Tensor

from vgen.rng import draw_rows


def clip_noise(like: Tensor, draw: Callable[..., Tensor] = torch.randn) -> Tensor:
    """Noise (B, ...) on the device of `like`, in its type but at least float32; N(0, 1) unless `draw` is another.

    Each row has a seed from the stream in use and is drawn where it is needed: drawing all rows of all processes on
    the CPU, as for small things, would take longer than the pass that the noise is for. Different kinds of device
    draw different noise from the same seed.
    """
    seeds = draw_rows(like.shape[0], lambda rows, rng: torch.randint(2**62, (rows,), generator=rng))
    generators = [torch.Generator(like.device).manual_seed(seed) for seed in seeds.tolist()]
    dtype = torch.promote_types(like.dtype, torch.float32)
    rows = [draw(like.shape[1:], generator=g, device=like.device, dtype=dtype) for g in generators]
    return torch.stack(rows)
