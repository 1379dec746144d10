"""Clips from a trained generator, the same for every batch size, device count and order of calls."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from vgen import rng
from vgen.clip import Latent, as_generator, to_pixels


def latent_rows(
    generator: nn.Module, indices: Sequence[int], times: Tensor, seed: int, stream: str = "sample"
) -> Latent:
    """The latents of clips number `indices`; clip i depends on (seed, stream, i) alone."""
    draw = as_generator(generator).sample_latent
    rows = [draw(1, times[:1], rng.generator(seed, stream, index)) for index in indices]
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


@torch.no_grad()
def generate_clips(
    generator: nn.Module,
    *,
    count: int,
    times: Tensor,
    labels: Tensor | None,
    seed: int,
    batch: int = 16,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Tensor]:
    """Generate `count` clips in evaluation mode, `batch` at a time; of these batches every world-th from `rank` on.

    Args:
        generator: on the device it is to run on.
        times: (T,) in frames.
        labels: (count,) class indices, or None for an unconditional generator.

    Yields uint8 (b, T, H, W, C) on the CPU.
    """
    device = next(generator.parameters()).device
    was_training = generator.training
    generator.eval()
    try:
        for start in range(rank * batch, count, world * batch):
            indices = range(start, min(start + batch, count))
            rows = times.expand(len(indices), -1)
            latent = {k: v.to(device) for k, v in latent_rows(generator, indices, rows, seed).items()}
            label = None if labels is None else labels[indices.start : indices.stop].to(device)
            yield to_pixels(generator(latent, rows.to(device), label)).cpu()
    finally:
        generator.train(was_training)
