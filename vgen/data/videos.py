"""A folder of videos, as it lies there."""

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, get_args

import numpy as np

from vgen.data.cache import default_cache
from vgen.data.decode import Unreadable, decode, first_size, probe
from vgen.data.layout import Entry, Layout, scan
from vgen.data.packed import (
    VERSION,
    Pack,
    Packed,
    any_lossy,
    fingerprint_of,
    list_sizes,
    open_pack,
    typical_rate,
)
from vgen.data.packing import Job, write_pack
from vgen.data.resize import Resample, Resize, to_channels, to_square
from vgen.data.source import Skipped

log = logging.getLogger(__name__)

LISTED = 20  # skipped videos that get a line of their own in the log
PROBED = 64  # videos whose headers tell how much space the set will take


class Videos:
    """Video files, folders of frame images or strip images, decoded once and read from a memory map.

    What is a video and what is a class is found by looking: see `vgen.data.layout.scan`. `prepare` decodes
    every video (`vgen.data.decode`), resizes it (`vgen.data.resize`) and packs it into the cache; another run
    finds it there unless a file, or an argument that changes pixels, has changed. A video that cannot be read
    whole, or is too short, is skipped and listed, in the log and in `skipped`.

    Args:
        path: folder of the videos.
        size: frame height and width in pixels. None takes videos as they are stored, square or not: the size that
            most of them have; others are skipped.
        channels: 3, or 1 for grey.
        resize: "crop" brings the short side to `size` and cuts out the centre; "squash" brings both there.
        resample: how (`vgen.data.resize`).
        strict: raise where a video would be skipped.
        cache: folder for the packed videos; default `$VGEN_CACHE`, else ~/.cache/vgen/clips.
        min_frames: shorter videos are skipped; may be set until `prepare`.

    Raises:
        FileNotFoundError: no such folder (on first use).
        ValueError: an argument out of range; on first use, a layout that is not understood; in `prepare` and
            `setup`, no video left, or one skipped under `strict`.
    """

    def __init__(
        self,
        *,
        path: str,
        size: int | None,
        channels: int = 3,
        resize: Resize = "crop",
        resample: Resample = "bicubic",
        strict: bool = False,
        cache: str | None = None,
        min_frames: int = 1,
    ):
        if size is not None and size < 1:
            raise ValueError(f"data.size is {size}: it must be at least 1")
        if channels not in (1, 3):
            raise ValueError(f"data.channels is {channels}: choose 1 (grey) or 3 (RGB)")
        if resize not in ("crop", "squash"):
            raise ValueError(f"data.resize is {resize!r}: choose crop or squash")
        if resample not in get_args(Resample):
            raise ValueError(f"data.resample is {resample!r}: choose {', '.join(get_args(Resample))}")
        self.path = Path(path).expanduser().absolute()
        self.size = size
        self.channels = channels
        self.resize: Resize = resize
        self.resample: Resample = resample
        self.strict = strict
        self.cache = default_cache(cache)
        self.min_frames = min_frames
        self.name = self.path.name
        self.skipped: list[Skipped] = []
        self._pack: Pack | None = None
        self._kept: list[Packed] | None = None

    @cached_property
    def layout(self) -> Layout:
        return scan(self.path)

    @property
    def classes(self) -> list[str]:
        return list(self.layout.classes)

    def describe(self) -> str:
        """What was found, in one line: "56 strip images in 4 classes"."""
        return self.layout.describe()

    def native_frame(self) -> tuple[int, int]:
        """Height and width that most videos have, by their first frames."""
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            sizes = Counter(
                size for size in pool.map(self._first_size, self.layout.entries) if size is not None
            )
        if not sizes:
            return 1, 1  # nothing is readable: decoding will say why of each
        return sizes.most_common(1)[0][0]

    def frame_size(self) -> tuple[int, int]:
        """Height and width of the packed frames."""
        return self.native_frame() if self.size is None else (self.size, self.size)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that pixels depend on."""
        keys = ("size", "channels", "resize", "resample")
        return {key: getattr(self, key) for key in keys}

    def prepare(self) -> None:
        pack = open_pack(self._folder, self.key)
        if pack is None:
            log.info("%s: decoding %s into %s", self.path, self.describe(), self._folder)
            size = self.frame_size()
            jobs = [self.job(entry, size) for entry in self.layout.entries]
            frame = (*size, self.channels)
            pack = write_pack(self._folder, self.key, jobs, frame=frame, estimate=self.estimate(size))
        self._adopt(pack)
        for skipped in self.skipped[:LISTED]:
            log.warning("skipped %s: %s", skipped.path, skipped.reason)
        if len(self.skipped) > LISTED:
            log.warning("skipped %d more videos of %s", len(self.skipped) - LISTED, self.path)

    def setup(self) -> None:
        pack = open_pack(self._folder, self.key)
        if pack is None:
            raise ValueError(
                f"{self.path} has changed or was not prepared: no packed videos in {self._folder}"
            )
        self._adopt(pack)

    def __len__(self) -> int:
        return len(self._videos)

    def length(self, i: int) -> int:
        return self._videos[i].frames

    def label(self, i: int) -> int | None:
        return self._videos[i].label

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        return self._open().read(self._videos[i], indices)

    def gather(self, videos: Sequence[int], indices: np.ndarray, out: np.ndarray) -> None:
        self._open().gather([self._videos[i] for i in videos], indices, out)

    @property
    def fps(self) -> float | None:
        return typical_rate(self._videos)

    @property
    def names(self) -> list[str]:
        """Path of every video, relative to the top."""
        return [video.name for video in self._videos]

    @property
    def rates(self) -> list[float | None]:
        """Frames per second of every video, None where it does not say."""
        return [video.fps for video in self._videos]

    @property
    def lossy(self) -> bool | None:
        """Whether storing them has changed the pictures of some; None if no one can tell."""
        return any_lossy(self._videos)

    @property
    def stored_sizes(self) -> str:
        """Width and height before resizing, the most frequent first: "320x240" or "320x240, 64x64, 4 more"."""
        return list_sizes(self._videos)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint_of(self.settings, self.classes, self._videos)

    def _adopt(self, pack: Pack) -> None:
        self._pack = pack
        self._kept = [video for video in pack.videos if video.frames >= self.min_frames]
        self.__dict__.pop("_fingerprint", None)
        short = [
            Skipped(video.name, f"{video.frames} frames, {self.min_frames} needed")
            for video in pack.videos
            if video.frames < self.min_frames
        ]
        self.skipped = [*self.layout.refused, *pack.skipped, *short]
        if not self._videos or (self.strict and self.skipped):
            first, more = self.skipped[0], len(self.skipped) - 1
            others = f" (and {more} more)" if more else ""
            what = "data.strict" if self._videos else f"data.path: no usable video in {self.path}"
            raise ValueError(f"{what}: {first.path}: {first.reason}{others}")

    @property
    def _videos(self) -> list[Packed]:
        if self._kept is None:
            raise RuntimeError(f"{self.path}: prepare() and setup() come first")
        return self._kept

    def _open(self) -> Pack:
        if self._pack is None:  # in a spawned worker, where the map did not come along
            self._pack = open_pack(self._folder, self.key)
            if self._pack is None:
                raise RuntimeError(f"the packed videos in {self._folder} are gone")
        return self._pack

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pack": None}

    @property
    def _folder(self) -> Path:
        return self.cache / f"{self.name}-{self.size or 'native'}-{self.key}"

    @cached_property
    def key(self) -> str:
        """Hash of everything that the packed pixels follow from."""
        digest = hashlib.blake2b(digest_size=8)
        digest.update(json.dumps([VERSION, self.size, self.channels, self.resize, self.resample]).encode())
        for entry in self.layout.entries:
            for file in entry.files:
                path = self.path / file
                try:
                    facts = path.stat()
                    stamp = [file, facts.st_size, facts.st_mtime_ns, os.access(path, os.R_OK)]
                except OSError as error:
                    stamp = [file, error.errno]
                digest.update(json.dumps([entry.kind, entry.label, stamp]).encode())
        return digest.hexdigest()

    def job(self, entry: Entry, size: tuple[int, int]) -> Job:
        """How a video becomes frames of this size."""
        return Job(
            name=entry.name,
            label=entry.label,
            probe=lambda: probe(self.path, entry),
            frames=lambda: (self._fit(block, size) for block in decode(self.path, entry)),
        )

    def _fit(self, frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        if self.size is not None:
            return to_square(
                frames, size=self.size, channels=self.channels, resize=self.resize, resample=self.resample
            )
        height, width = frames.shape[1:3]
        if (height, width) != size:
            raise Unreadable(f"frames of {width}x{height} pixels, and most videos have {size[1]}x{size[0]}")
        return to_channels(frames, self.channels)

    def _first_size(self, entry: Entry) -> tuple[int, int] | None:
        try:
            return first_size(self.path, entry)
        except Exception:  # decoding will say what is wrong with it
            return None

    def estimate(self, size: tuple[int, int]) -> int:
        """Bytes that the packed frames will take, from the headers of a sample of the videos."""
        entries = self.layout.entries
        sample = entries[:: max(1, -(-len(entries) // PROBED))]
        counts = []
        for entry in sample:
            try:
                counts.append(probe(self.path, entry).frames or 0)
            except Exception:  # decoding will say what is wrong with it
                continue
        typical = median(counts) if counts else 0  # a damaged header may declare anything
        return round(typical * len(entries) * size[0] * size[1] * self.channels)
