"""Two sets of real clips without a video in common."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from vgen import rng
from vgen.data.evaluation_clips import VideoClips
from vgen.data.source import Skipped, VideoSource
from vgen.protocol.standard import Standard


class SomeVideos:
    """A `VideoSource` that is a part of another: its videos `chosen`, in that order, after `setup` of the other."""

    def __init__(self, source: VideoSource, chosen: Sequence[int]) -> None:
        self.source = source
        self.chosen = list(chosen)
        self.name = source.name
        self.path = str(getattr(source, "path", source.name))
        self.classes = source.classes
        self.fps = source.fps
        self.skipped: list[Skipped] = source.skipped
        self.lossy: bool | None = getattr(source, "lossy", None)
        names, rates = getattr(source, "names", None), getattr(source, "rates", None)
        self.names = [names[i] for i in self.chosen] if names else [f"video {i}" for i in self.chosen]
        self.rates = [rates[i] for i in self.chosen] if rates else [source.fps]
        part = f"{source.fingerprint}/{self.chosen}"
        self.fingerprint = hashlib.blake2b(part.encode(), digest_size=8).hexdigest()

    def prepare(self) -> None:
        """Nothing to do."""

    def setup(self) -> None:
        """Nothing to do."""

    def __len__(self) -> int:
        return len(self.chosen)

    def length(self, i: int) -> int:
        return self.source.length(self.chosen[i])

    def label(self, i: int) -> int | None:
        return self.source.label(self.chosen[i])

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        """Frames `indices` (T,) of video `i`: (T, H, W, C) uint8."""
        return self.source.read(self.chosen[i], indices)


def real_halves(source: VideoSource, protocol: Standard) -> tuple[VideoClips, VideoClips]:
    """Real clips under the protocol from each of two halves of the videos, dealt at random, class by class.

    Raises:
        ValueError: fewer than 4 videos that are long enough.
    """
    least = max((protocol.frames - 1) * protocol.stride + 1, protocol.shortest or 0)
    usable = [i for i in range(len(source)) if source.length(i) >= least]
    if len(usable) < 4:
        raise ValueError(
            f"{source.name} has {len(usable)} videos of {least} frames or more; an audit needs 4, for two halves "
            "that share none"
        )
    drawn = torch.randperm(len(usable), generator=rng.generator(protocol.seed, "halves")).tolist()
    # dealing a list sorted by class gives both halves as many of each, within one
    dealt = sorted((usable[k] for k in drawn), key=lambda i: source.label(i) or 0)
    first, second = (SomeVideos(source, sorted(dealt[half::2])) for half in (0, 1))
    return protocol.real_clips(first), protocol.real_clips(second)
