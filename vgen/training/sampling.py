"""Clips from a trained generator, the same for every batch size and order of calls."""

from collections.abc import Iterator

from torch import Tensor, nn

from vgen.training.generated_clips import GeneratedClips
from vgen.training.given_frames import GivenFrames


def generate_clips(
    generator: nn.Module,
    *,
    count: int,
    times: Tensor,
    labels: Tensor | None,
    seed: int,
    given: GivenFrames | None = None,
    batch: int = 16,
) -> Iterator[Tensor]:
    """Generate `count` clips in evaluation mode, `batch` at a time.

    Args:
        generator: on the device it is to run on.
        times: (T,) in frames.
        labels: (count,) class indices, or None for an unconditional generator.
        given: what a generator that continues clips is given for each.

    Yields uint8 (b, T, H, W, C) on the CPU.
    """
    clips = GeneratedClips(generator, count=count, times=times, labels=labels, seed=seed, given=given)
    return clips.in_batches(batch)
