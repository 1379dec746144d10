"""Clips for evaluation, from real and from generated videos: finite lists that follow from their arguments."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from vgen import rng
from vgen.data.source import VideoSource


def real_clips(
    source: VideoSource, *, frames: int, stride: int, count: int, seed: int, batch: int
) -> Iterator[Tensor]:
    """`count` clips in batches (B, T, H, W, C) uint8; the last batch may be smaller.

    One clip per video at a random start, the videos in random order; when `count` exceeds their number, they
    come round again with new starts. Videos that are too short are left out. Clip k depends on `seed` and k,
    not on `count` or `batch`: a smaller count is a prefix of a larger one.

    Args:
        source: the videos, after `setup`.
        frames: frames per clip.
        stride: distance between neighbouring frames.

    Raises:
        ValueError: an argument below 1, or no video is long enough (when called, before the first clip).
    """
    span, lengths, videos = _long_enough(source, frames, stride, count, batch)
    order = torch.randperm(len(videos), generator=rng.generator(seed, "real clips", "order")).tolist()

    def clip(k: int) -> Tensor:
        video = videos[order[k % len(order)]]
        stream = rng.generator(seed, "real clips", "start", k)
        start = torch.randint(lengths[video] - span + 1, (), generator=stream)
        return torch.from_numpy(source.read(video, (start + torch.arange(frames) * stride).numpy()))

    return _batches(clip, count, batch)


def leading_clips(
    source: VideoSource, *, frames: int, stride: int, count: int, seed: int, batch: int
) -> Iterator[Tensor]:
    """The first frames of `count` videos drawn at random (of all, if there are fewer), as `real_clips` gives them.

    For videos that a model made: each is one sample, and none is counted twice.
    """
    _, _, videos = _long_enough(source, frames, stride, count, batch)
    order = torch.randperm(len(videos), generator=rng.generator(seed, "leading clips")).tolist()
    indices = (torch.arange(frames) * stride).numpy()
    return _batches(
        lambda k: torch.from_numpy(source.read(videos[order[k]], indices)), min(count, len(order)), batch
    )


def draw_labels(source: VideoSource, count: int, rng: torch.Generator) -> Tensor | None:
    """`count` labels (count,) int64 of videos drawn at random; None if the videos have no classes."""
    if not source.classes:
        return None
    labels = [source.label(i) for i in range(len(source))]
    return torch.tensor(labels)[torch.randint(len(labels), (count,), generator=rng)]


def _long_enough(
    source: VideoSource, frames: int, stride: int, count: int, batch: int
) -> tuple[int, list[int], list[int]]:
    """Span of a clip, lengths of all videos, and which are long enough."""
    for name, value in (("frames", frames), ("stride", stride), ("count", count), ("batch", batch)):
        if value < 1:
            raise ValueError(f"{name} is {value}: it must be at least 1")
    span = (frames - 1) * stride + 1
    lengths = [source.length(i) for i in range(len(source))]
    videos = [i for i, length in enumerate(lengths) if length >= span]
    if not videos:
        raise ValueError(
            f"no video of {source.name} has the {span} frames that {frames} frames at stride {stride} span; "
            f"the longest has {max(lengths, default=0)}"
        )
    return span, lengths, videos


def _batches(clip: Callable[[int], Tensor], count: int, batch: int) -> Iterator[Tensor]:
    return (
        torch.stack([clip(k) for k in range(first, min(first + batch, count))])
        for first in range(0, count, batch)
    )
