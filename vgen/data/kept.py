"""The videos of a pack that are used: what the cache and a prepared dataset have in common as sources of clips."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from statistics import median
from typing import Any

import numpy as np

from vgen.data.pack import Pack, Packed
from vgen.data.retime import frames_at, is_even, unpack_times
from vgen.data.source import Skipped


class Kept:
    """A source whose videos lie in a pack; `vgen.data.source` says what its methods are for.

    Who inherits gives `path`, `classes`, `settings` (those arguments of Videos that pixels depend on) and
    `_find_pack`, and calls `_keep` when the pack is there.

    Args:
        size: of a clip; that of the frames unless there are `crops`.
        fps: frames per second at which videos are read; of each the frames nearest to 0, 1/fps, 2/fps, ...
        stored_fps: of videos that do not say it.
        min_frames: shorter videos are skipped.
    """

    path: Any

    def __init__(
        self, *, size: int | None, fps: float | None, stored_fps: float | None, min_frames: int
    ) -> None:
        for name, rate in (("fps", fps), ("stored_fps", stored_fps)):
            if rate is not None and not 0 < rate < 1000:
                raise ValueError(f"data.{name} is {rate}: it must be above 0 and below 1000")
        self.size = size
        self.wanted_fps, self.stored_fps = fps, stored_fps
        self.min_frames = min_frames
        self.crops: tuple[int, int] | None = None
        self.skipped: list[Skipped] = []
        self._pack: Pack | None = None
        self._kept: list[Packed] | None = None
        self._frames: list[np.ndarray] | None = None  # of each kept video, at `fps`: its frame numbers

    @property
    def classes(self) -> list[str]:
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, Any]:
        raise NotImplementedError

    def _find_pack(self) -> Pack:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._videos)

    def length(self, i: int) -> int:
        return self._videos[i].frames if self._frames is None else len(self._frames[i])

    def label(self, i: int) -> int | None:
        return self._videos[i].label

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        if self.crops is None:
            return self._stored(i, indices)
        top, left = ((places - 1) // 2 for places in self.crops)
        return self.read_at(i, indices, top, left)

    def read_at(self, i: int, indices: np.ndarray, top: int, left: int) -> np.ndarray:
        """As `read`, but the frames are cut out of the canvas at row `top` and column `left`."""
        if self.crops is None or self.size is None:
            raise ValueError("without data.canvas there is nothing to cut out of")
        rows, columns = slice(top, top + self.size), slice(left, left + self.size)
        return np.ascontiguousarray(self._stored(i, indices)[:, rows, columns])

    def gather(self, videos: Sequence[int], indices: np.ndarray, out: np.ndarray) -> None:
        """Frames `indices` (B, T) of `videos`, a row each, into `out` (B, T, H, W, C); a canvas stays uncut."""
        if self._frames is not None:
            indices = np.stack([self._at_rate(i, chosen) for i, chosen in zip(videos, indices, strict=True)])
        self._open().gather([self._videos[i] for i in videos], indices, out)

    def _stored(self, i: int, indices: np.ndarray) -> np.ndarray:
        return self._open().read(self._videos[i], self._at_rate(i, np.asarray(indices)))

    def _at_rate(self, i: int, indices: np.ndarray) -> np.ndarray:
        """Which stored frames those at `fps` are."""
        if self._frames is None:
            return indices
        length = self.length(i)
        if indices.size and (indices.min() < 0 or indices.max() >= length):
            raise IndexError(
                f"frames {indices.min()}..{indices.max()} of {self._videos[i].name}, which has {length}"
            )
        return self._frames[i][indices]

    @property
    def fps(self) -> float | None:
        rates = [rate for rate in self.rates if rate is not None]
        return median(rates) if rates else None

    @property
    def names(self) -> list[str]:
        """Path of every video, relative to the top."""
        return [video.name for video in self._videos]

    @property
    def rates(self) -> list[float | None]:
        """Frames per second of every video as it is read, None where nothing says it."""
        return [self.wanted_fps or video.fps or self.stored_fps for video in self._videos]

    @property
    def lossy(self) -> bool | None:
        """Whether storing them has changed the pictures of some; None if no one can tell."""
        known = {video.lossy for video in self._videos}
        return True if True in known else None if None in known else False

    @property
    def stored_sizes(self) -> str:
        """Width and height before resizing, the most frequent first: "320x240" or "320x240, 64x64, 4 more"."""
        sizes = [size for size, _ in Counter(video.stored for video in self._videos).most_common()]
        return ", ".join(sizes[:3] + [f"{len(sizes) - 3} more"] * (len(sizes) > 3))

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        frames = None if self._frames is None else [_digest(numbers) for numbers in self._frames]
        return fingerprint_of(self.settings, self.classes, self._videos, fps=self.wanted_fps, frames=frames)

    @property
    def slower(self) -> list[str]:
        """Videos of less than `fps` frames per second: some of their frames come twice."""
        least = 0.99 * (self.wanted_fps or 0)
        return [video.name for video in self._videos if video.fps and video.fps < least]

    @property
    def uneven(self) -> list[str]:
        """Videos with frames that stay longer than others."""
        return [v.name for v in self._videos if not is_even(unpack_times(v.times, v.frames))]

    def _keep(self, pack: Pack, videos: Sequence[Packed], refused: Sequence[Skipped]) -> None:
        """Use those of `videos` that are long enough; the others are `skipped`, after `refused`."""
        self._pack = pack
        self.skipped = list(refused)
        self._kept, frames = [], []
        for video in videos:
            try:
                numbers = self._numbers(video)
            except ValueError as error:
                self.skipped.append(Skipped(video.name, str(error)))
                continue
            length = video.frames if numbers is None else len(numbers)
            if length < self.min_frames:
                self.skipped.append(Skipped(video.name, f"{length} frames, {self.min_frames} needed"))
                continue
            self._kept.append(video)
            if numbers is not None:
                frames.append(numbers)
        self._frames = None if self.wanted_fps is None else frames
        self.__dict__.pop("_fingerprint", None)

    def _check_usable(self, *, strict: bool = False) -> None:
        """ValueError if no video is left, or one is skipped under `strict`."""
        if self._videos and not (strict and self.skipped):
            return
        what = "data.strict" if self._videos else f"data.path: no usable video in {self.path}"
        raise ValueError(f"{what}: {told(self.skipped)}")

    def _numbers(self, video: Packed) -> np.ndarray | None:
        """The frames of a video at `fps`. ValueError, saying why, if it cannot be told which they are."""
        if self.wanted_fps is None:
            return None
        times = unpack_times(video.times, video.frames)
        if video.fps is None:
            if self.stored_fps is None:
                raise ValueError("its frame rate is not known: say data.stored_fps, or leave out clip.fps")
            times = np.arange(video.frames) / self.stored_fps
        return frames_at(times, self.wanted_fps)

    @property
    def _videos(self) -> list[Packed]:
        if self._kept is None:
            raise RuntimeError(f"{self.path}: prepare() and setup() come first")
        return self._kept

    def _open(self) -> Pack:
        if self._pack is None:  # in a spawned worker, where the maps did not come along
            self._pack = self._find_pack()
        return self._pack

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pack": None}


def told(skipped: Sequence[Skipped]) -> str:
    """The first of them, and how many more."""
    if not skipped:
        return "there is none"
    others = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
    return f"{skipped[0].path}: {skipped[0].reason}{others}"


def fingerprint_of(
    settings: dict[str, Any],
    classes: Sequence[str],
    videos: Sequence[Packed],
    *,
    fps: float | None = None,
    frames: Sequence[str] | None = None,
) -> str:
    """Hash of the pixels of `videos` as they are read, their order and labels.

    Args:
        settings: size, channels, resize and canvas.
        frames: at `fps`, a hash of each video's frame numbers.
    """
    facts: list = [settings["size"], settings["channels"], settings["resize"], list(classes)]
    facts.append([(video.hash, video.frames, video.label) for video in videos])
    if settings.get("canvas") is not None:
        facts.append(["canvas", *settings["canvas"]])
    if frames is not None:
        facts.append(["fps", fps, list(frames)])
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()


def _digest(frames: np.ndarray) -> str:
    return hashlib.blake2b(frames.astype("<i8").tobytes(), digest_size=8).hexdigest()
