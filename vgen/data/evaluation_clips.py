"""Clips for evaluation from stored videos: finite lists that follow from their arguments."""

import hashlib
from collections.abc import Sequence
from statistics import median
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from vgen import rng
from vgen.data.source import Skipped, VideoSource

Choice = Literal["first", "center", "random", "cycle", "windows"]
Order = Literal["sorted", "shuffled"]


class VideoClips:
    """Clips of stored videos: a `ClipSet` (vgen.protocol.contract).

    Which clips, by `choice`:
        "first": the first frames of each video.
        "center": the frames around its middle.
        "random": `clips_per_video` of each video, at random starts.
        "cycle": one of each video at a random start; the videos come round again, in the same order and with new
            starts, until there are `count`.
        "windows": each that fits, their starts `hop` frames apart; of each video the first `clips_per_video`.

    Videos that are too short are left out and listed. Clip k follows from the videos, `seed` and k: a smaller `count`
    is the beginning of a larger one, and neither batches nor processes matter. The starts of equal lists of videos
    are equal, so the distance of a folder to itself is that of equal clips.

    Args:
        source: the videos, after `setup`.
        frames: frames per clip.
        stride: distance between neighbouring frames.
        choice: see above.
        clips_per_video: None: 1; of "windows" all.
        hop: of "windows".
        shortest: least length of a video; None: what a clip spans. A smaller number does not help.
        order: the videos (of "windows": the clips) "sorted" by name as text, or "shuffled".
        count: of clips at most; None: all. "cycle" needs it.
        seed: of order and starts.

    Attributes:
        info: "source", "fingerprint", "videos" (used), "skipped" (of the source, and too short), "fps" (median),
            "mixed_fps", "height", "width", "stored_sizes" (before resizing), "lossy" (None: unknown), "classes";
            "canvas" where the frames are the centre of a larger one.

    Raises:
        ValueError: an argument out of range, or no video is long enough.
    """

    def __init__(
        self,
        source: VideoSource,
        *,
        frames: int,
        stride: int = 1,
        choice: Choice = "cycle",
        clips_per_video: int | None = None,
        hop: int = 1,
        shortest: int | None = None,
        order: Order = "shuffled",
        count: int | None = None,
        seed: int = 0,
    ) -> None:
        for name, value in (
            ("frames", frames), ("stride", stride), ("clips_per_video", clips_per_video), ("hop", hop),
            ("shortest", shortest), ("count", count),
        ):  # fmt: skip
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}: it must be at least 1")
        for name, value, allowed in (("choice", choice, Choice), ("order", order, Order)):
            if value not in get_args(allowed):
                raise ValueError(f"{name} is {value!r}: choose {', '.join(get_args(allowed))}")
        if choice == "cycle" and count is None:
            raise ValueError("videos come round for ever: say how many clips (count)")
        self.source, self.frames, self.stride, self.choice, self.seed = source, frames, stride, choice, seed
        self.span = (frames - 1) * stride + 1
        self._lengths = [source.length(i) for i in range(len(source))]
        kept, self._too_short = self._long_enough(max(self.span, shortest or 0))
        self._videos, self._starts = self._list(kept, order, hop, clips_per_video)
        available = len(self._videos)
        self._count = available if count is None else count if choice == "cycle" else min(available, count)
        self.identity: dict[str, Any] = {
            "kind": "videos",
            "fingerprint": source.fingerprint,
            "frames": frames,
            "stride": stride,
            "choice": choice,
            "seed": seed,
            "count": self._count,
            "list": _digest(self._videos, self._starts),
        }
        self.info: dict[str, Any] = self._describe(len(kept))
        self.labels = self._label() if source.classes else None

    def __len__(self) -> int:
        return self._count

    def read(self, indices: Sequence[int]) -> Tensor:
        """Clips number `indices`: (b, T, H, W, C) uint8."""
        return torch.from_numpy(np.stack([self.source.read(*self.locate(int(k))) for k in indices]))

    def locate(self, k: int) -> tuple[int, np.ndarray]:
        """The video of clip `k`, and its frames (T,) in it."""
        if not 0 <= k < self._count:
            raise IndexError(f"clip {k} of {self._count}")
        video = int(self._videos[k % len(self._videos)])
        if self._starts is not None:
            start = int(self._starts[k])
        else:
            stream = rng.generator(self.seed, "clips", "start", k)
            start = int(torch.randint(self._lengths[video] - self.span + 1, (), generator=stream))
        return video, start + np.arange(self.frames) * self.stride

    def _long_enough(self, least: int) -> tuple[list[int], list[Skipped]]:
        """The videos that can be used, and those that are too short."""
        names = getattr(self.source, "names", None) or [f"video {i}" for i in range(len(self._lengths))]
        kept = [i for i, length in enumerate(self._lengths) if length >= least]
        if not kept:
            raise ValueError(
                f"no video of {self.source.name} has the {least} frames that clips of {self.frames} frames at stride "
                f"{self.stride} need; the longest has {max(self._lengths, default=0)}"
            )
        short = [(names[i], length) for i, length in enumerate(self._lengths) if length < least]
        return kept, [Skipped(name, f"{length} frames, {least} needed") for name, length in short]

    def _list(
        self, kept: list[int], order: Order, hop: int, per_video: int | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Video of each clip (of each turn of a cycle), and the starts where they are not drawn."""
        names = getattr(self.source, "names", None)
        if order == "sorted" and names is not None:
            kept = sorted(kept, key=lambda i: names[i])
        room = np.array([self._lengths[i] - self.span for i in kept])  # the last start that fits
        starts = None
        match self.choice:
            case "windows":
                fitting = np.minimum(room // hop + 1, per_video or room.max() // hop + 1)
                videos = np.repeat(kept, fitting)
                starts = np.concatenate([np.arange(n) * hop for n in fitting])
            case "random":
                videos = np.repeat(kept, per_video or 1)
            case _:
                videos = np.array(kept)
                starts = {"first": 0 * room, "center": room // 2}.get(self.choice)
        if order == "shuffled":
            shuffled = torch.randperm(
                len(videos), generator=rng.generator(self.seed, "clips", "order")
            ).numpy()
            videos, starts = videos[shuffled], None if starts is None else starts[shuffled]
        return videos, starts

    def _describe(self, videos: int) -> dict[str, Any]:
        source = self.source
        height, width = source.read(int(self._videos[0]), np.arange(1)).shape[1:3]
        rates = [rate for rate in getattr(source, "rates", [source.fps]) if rate is not None]
        return {
            "source": str(getattr(source, "path", source.name)),
            "fingerprint": source.fingerprint,
            "videos": videos,
            "skipped": [{"path": s.path, "reason": s.reason} for s in (*source.skipped, *self._too_short)],
            "fps": median(rates) if rates else None,
            "mixed_fps": bool(rates) and max(rates) > 1.01 * min(rates),
            "height": height,
            "width": width,
            "stored_sizes": getattr(source, "stored_sizes", None),
            "lossy": getattr(source, "lossy", None),
            "classes": list(source.classes),
        } | ({"canvas": list(canvas)} if (canvas := getattr(source, "canvas", None)) else {})

    def _label(self) -> Tensor:
        turns = (self.source.label(int(video)) for video in self._videos)
        known = torch.tensor([-1 if label is None else label for label in turns])
        return known[torch.arange(self._count) % len(known)]


def draw_labels(source: VideoSource, count: int, rng: torch.Generator) -> Tensor | None:
    """`count` labels (count,) int64 of videos drawn at random; None if the videos have no classes."""
    if not source.classes:
        return None
    labels = [source.label(i) for i in range(len(source))]
    return torch.tensor(labels)[torch.randint(len(labels), (count,), generator=rng)]


def _digest(videos: np.ndarray, starts: np.ndarray | None) -> str:
    digest = hashlib.blake2b(videos.astype("<i8").tobytes(), digest_size=8)
    if starts is not None:
        digest.update(starts.astype("<i8").tobytes())
    return digest.hexdigest()
