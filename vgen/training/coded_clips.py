"""Free codes one by one: a grid whose columns share all else, while down the rows each code goes through its values."""

import torch
from torch import Tensor

from vgen.training.generated_clips import GeneratedClips


def coded_clips(clips: GeneratedClips) -> Tensor:
    """Clips (rows, N, T, H, W, C) uint8, on the CPU: column j is clip j of `clips` with one code changed.

    The rows are those of `code_values` of the generator: all values of its first code, then of the next.

    Raises:
        ValueError: the generator has no codes.
    """
    everyone = range(len(clips))
    vary = getattr(clips.generator, "code_values", None)
    changed = vary(clips.latents(everyone, "sample")) if vary is not None else []
    if not changed:
        raise ValueError("the generator has no codes of its own; train one with condition=codes")
    return torch.stack([clips.make(latent, everyone) for latent in changed])
