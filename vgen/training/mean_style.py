"""The mean style of a generator, and how far styles lie from it: exact sums over seeded draws."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vgen import rng
from vgen.clip import Latent, as_generator, style_shape

BLOCK = 64  # draws that share a stream and a pass of the mapping network


class Styles(NamedTuple):
    """Of `count` styles the `mean` (layers, width), and the root mean square of their distances from it, `radius`."""

    mean: Tensor
    radius: float


@torch.no_grad()
def mean_style(
    generator: nn.Module,
    *,
    times: Tensor,
    label: Tensor | None = None,
    fixed: Latent | None = None,
    seed: int = 0,
    count: int = 10_000,
) -> Styles:
    """The mean over `count` latents of `seed`, summed in float64; `count` is rounded up to a multiple of 64.

    What the average that training tracks (`MappingNetwork`) only follows: this is the mean of the very weights, and of
    one class where `label` says which.

    Args:
        generator: one with styles, in evaluation mode.
        times: (1, T), of a clip.
        label: (1,) class, or None: classes in turn.
        fixed: parts (1, ...) of the latent that are the same for all draws.

    Raises:
        ValueError: a generator without styles.
    """
    shape = style_shape(generator)
    if shape is None:
        raise ValueError("this generator has no style for each of its layers")
    contract = as_generator(generator)
    device = next(generator.parameters()).device
    total, squares = torch.zeros(shape, dtype=torch.float64), 0.0
    blocks = -(-count // BLOCK)
    if contract.frames is None and not fixed:
        times = times[
            :, :1
        ]  # a style is of a clip, whatever its length, and noise for more frames would be for nothing
    at = times.expand(BLOCK, -1)
    if label is not None:
        labels = label.expand(BLOCK)
    else:
        labels = torch.arange(BLOCK) % contract.classes if contract.classes else None
    labels = None if labels is None else labels.to(device)
    for block in range(blocks):
        latent = contract.sample_latent(BLOCK, at, rng.generator(seed, "mean style", block))
        latent |= {name: part.expand(BLOCK, *part.shape[1:]) for name, part in (fixed or {}).items()}
        latent = {name: part.to(device) for name, part in latent.items()}
        w = generator.styles(latent, at.to(device), labels).double().cpu()  # pyright: ignore[reportCallIssue]
        total += w.sum(0)
        squares += float(w.square().sum())
    drawn = blocks * BLOCK
    mean = total / drawn
    # The sum of squares is that of all layers, which share one style.
    variance = (squares / drawn - float(mean.square().sum())) / shape[0]
    return Styles(mean.float(), max(variance, 0.0) ** 0.5)
