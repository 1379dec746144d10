"""Style mixing: the later layers of a style-based network take their styles from a second code."""

import torch
from torch import Tensor


def draw_mixing(
    content: Tensor, second: Tensor, layers: int, probability: float, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """For each clip, with `probability`, a second code and the layer from which on it counts; else its own code again.

    Each clip draws its own layer, evenly from 1 to `layers` - 1. (StyleGAN2's code draws one layer for a batch.)

    Source: Karras et al. 2019, arXiv 1812.04948, §3.1.

    Args:
        content, second: (B, content_dim), on the CPU.
        layers: how many take a style, at least 2.

    Returns:
        the second codes (B, content_dim), and from which layer on they count (B,) int64: `layers` where they do not.
    """
    batch = len(content)
    mixed = torch.rand(batch, generator=rng) < probability
    begin = torch.randint(1, layers, (batch,), generator=rng)
    return torch.where(mixed[:, None], second, content), torch.where(mixed, begin, layers)


def mix_styles(first: Tensor, second: Tensor, begin: Tensor) -> Tensor:
    """Styles (B, ..., layers, w_dim) of which those of clip b from layer `begin[b]` on are of `second`."""
    later = torch.arange(first.shape[-2], device=first.device) >= begin[:, None]  # (B, layers)
    return torch.where(later.view(len(later), *[1] * (first.dim() - 3), -1, 1), second, first)
