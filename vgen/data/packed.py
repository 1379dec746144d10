"""Decoded videos in memory-mapped files: decode once, read at the speed of memory.

A packed dataset is a folder. What lies in it:

    dataset.json       what is in the shards; written last, so that a folder which has it is whole
    shards/00000.npy   frames (n, H, W, C) uint8 of videos in order; each video lies in one shard, without a gap
    shards/00001.npy

A shard is a .npy file (version 1.0, C order): its last n * H * W * C bytes are the frames, what is before them is the
header, `bytes` in the index is the size of both. `dataset.json` is one object:

    format, version   "vgen packed clips", 3
    key               hash of everything that the pixels were made of and how; None if it is not known
    frame             [H, W, C]
    settings          arguments of `vgen.data.videos.Videos` that pixels depend on: size, channels, resize, ...
    classes           names, in order of the labels; empty if unlabelled
    shards            [{file, frames, bytes, sha256}] in order; sha256 of the whole file
    videos            [{name, label, split, fps, lossy, stored, shard, start, frames, hash}] in order; frames
                      [start, start + frames) of shard number `shard`; `hash` is BLAKE2b (16 bytes) of its pixels
    skipped           [{path, reason}]

and, for those who read it, name, source, counts, splits, fps, fingerprint, licence, citation, vgen, created. The cache
of `data=videos` is the same with one shard, `frames.npy`, without sha256 and the last line.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from vgen.data.cache import default_cache
from vgen.data.remote import RemoteFolder
from vgen.data.source import Skipped
from vgen.data.storage import INDEX, is_remote, open_shard, read_index, shard_bytes

FORMAT, VERSION = "vgen packed clips", 3


@dataclass(frozen=True)
class Packed:
    """One video of a pack: frames [start, start + frames) of a shard. `stored` is its own size, "320x240"."""

    name: str
    label: int | None
    fps: float | None
    lossy: bool | None
    stored: str
    start: int
    frames: int
    hash: str
    shard: int = 0
    split: str | None = None


@dataclass(frozen=True)
class Shard:
    """A file of frames: its name in the folder, how many it holds, its size and hash."""

    file: str
    frames: int
    bytes: int
    sha256: str | None = None


class Pack:
    """A whole pack: where its videos are, and what was left out. Shards are opened when they are first read.

    Args:
        folder: where it lies; an address (s3://...) is read by blocks.
        index: what its `dataset.json` says.
        cache: folder for these blocks.

    Raises:
        FileNotFoundError: a shard is missing.
        ValueError: the index is of something else, or a shard is not as long as it says.
    """

    def __init__(self, folder: str, index: dict[str, Any], cache: Path | None = None) -> None:
        if not isinstance(index, dict) or index.get("format") != FORMAT:
            raise ValueError(f"{folder}/{INDEX} is not that of a packed dataset")
        if index.get("version") != VERSION:
            raise ValueError(
                f"{folder} has version {index.get('version')} of the packed format, and this vgen reads {VERSION}: "
                "prepare it again"
            )
        try:
            self.frame: tuple[int, int, int] = tuple(index["frame"])
            self.shards = [Shard(**shard) for shard in index["shards"]]
            self.videos = [Packed(**video) for video in index["videos"]]
            self.skipped = [Skipped(**video) for video in index["skipped"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{folder}/{INDEX} is damaged: {error}") from error
        self.folder, self.index = folder, index
        self._maps: dict[int, np.ndarray] = {}
        self._remote = None
        if is_remote(folder):
            identity = json.dumps(index["shards"], sort_keys=True)
            self._remote = RemoteFolder(folder, cache=cache or default_cache(), identity=identity)
        self._check()

    def read(self, video: Packed, indices: np.ndarray) -> np.ndarray:
        """Frames `indices` (T,) of a video: (T, H, W, C) uint8, a copy. Raises IndexError for one it does not have."""
        self._fetch([video], [indices])
        return self._frames(video.shard)[_within(video, indices)]

    def gather(self, videos: Sequence[Packed], indices: np.ndarray, out: np.ndarray) -> None:
        """Frames `indices` (B, T) of `videos`, a row each, into `out` (B, T, H, W, C), copied once."""
        ends = np.array([video.frames for video in videos])
        outside = ((indices < 0) | (indices >= ends[:, None])).any(axis=1)
        if outside.any():
            worst = int(outside.argmax())
            _within(videos[worst], indices[worst])
        self._fetch(videos, indices)
        for video, chosen, row in zip(videos, indices, out, strict=True):
            # "raise" would go through a buffer, and all are within already
            np.take(self._frames(video.shard), video.start + chosen, axis=0, out=row, mode="clip")

    def _frames(self, number: int) -> np.ndarray:
        frames = self._maps.get(number)
        if frames is None:
            frames = self._maps[number] = self._open(number)
        return frames

    def _fetch(self, videos: Sequence[Packed], indices: Iterable[np.ndarray]) -> None:
        """Bring what is asked for to this machine, all at once, if it lies elsewhere."""
        if self._remote is None:
            return
        frame = math.prod(self.frame)
        wanted = []
        for video, chosen in zip(videos, indices, strict=True):
            self._frames(video.shard)
            shard = self.shards[video.shard]
            header = shard.bytes - shard.frames * frame
            wanted.append((shard.file, header + _within(video, chosen) * frame, frame))
        self._remote.fetch(wanted)

    def _open(self, number: int) -> np.ndarray:
        shard = self.shards[number]
        folder = self.folder
        if self._remote is not None:
            self._remote.open(shard.file, shard.bytes)
            folder = str(self._remote.place)
        frames = open_shard(folder, shard.file)
        if frames.shape != (shard.frames, *self.frame):
            raise ValueError(
                f"{shard.file} in {self.folder} holds {frames.shape}, and {INDEX} says {shard.frames} of {self.frame}"
            )
        return frames

    def _check(self) -> None:
        for shard in self.shards if self._remote is None else ():  # one question each is too much elsewhere
            size = shard_bytes(self.folder, shard.file)
            if size != shard.bytes:
                raise ValueError(
                    f"{shard.file} in {self.folder} has {size:,} bytes, and {INDEX} says {shard.bytes:,}: damaged"
                )
        ends = dict.fromkeys(range(len(self.shards)), 0)
        for video in self.videos:
            if ends.get(video.shard) != video.start:
                raise ValueError(
                    f"{self.folder}/{INDEX} is damaged: {video.name} does not follow its predecessor"
                )
            ends[video.shard] += video.frames
        if any(ends[i] != shard.frames for i, shard in enumerate(self.shards)):
            raise ValueError(f"{self.folder}/{INDEX} is damaged: its videos do not fill its shards")


def _within(video: Packed, indices: np.ndarray) -> np.ndarray:
    """Where frames `indices` (T,) of a video lie in its shard."""
    indices = np.asarray(indices)
    if indices.size and (indices.min() < 0 or indices.max() >= video.frames):
        raise IndexError(f"frames {indices.min()}..{indices.max()} of {video.name}, which has {video.frames}")
    return video.start + indices


def open_pack(folder: Path, key: str) -> Pack | None:
    """The pack in `folder`; None if there is none, it was made of something else (`key`) or is not whole."""
    try:
        index = read_index(str(folder))
        if index["key"] != key:
            return None
        pack = Pack(str(folder), index)
        for number in range(len(pack.shards)):
            pack._open(number)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    return pack


def write_index(path: Path, index: dict[str, Any]) -> None:
    """`index` as JSON with one line per video, so that people can read it and tools compare it."""

    def text(value: Any) -> str:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n  " + ",\n  ".join(json.dumps(row) for row in value) + "\n ]"
        return json.dumps(value)

    lines = [f" {json.dumps(key)}: {text(value)}" for key, value in index.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def fingerprint_of(settings: dict[str, Any], classes: Sequence[str], videos: Iterable[Packed]) -> str:
    """Hash of the pixels of `videos`, their order and labels; `settings` has size, channels and resize."""
    rows = [(video.hash, video.frames, video.label) for video in videos]
    facts = json.dumps([*(settings[key] for key in ("size", "channels", "resize")), list(classes), rows])
    return hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()


def typical_rate(videos: Iterable[Packed]) -> float | None:
    """The median of the frame rates that are known."""
    rates = [video.fps for video in videos if video.fps is not None]
    return median(rates) if rates else None


def any_lossy(videos: Iterable[Packed]) -> bool | None:
    """Whether storing them has changed the pictures of some; None if no one can tell."""
    known = {video.lossy for video in videos}
    return True if True in known else None if None in known else False


def list_sizes(videos: Iterable[Packed]) -> str:
    """Width and height before resizing, the most frequent first: "320x240" or "320x240, 64x64, 4 more"."""
    sizes = [size for size, _ in Counter(video.stored for video in videos).most_common()]
    return ", ".join(sizes[:3] + [f"{len(sizes) - 3} more"] * (len(sizes) > 3))


class PackedVideos:
    """What `vgen prepare` has packed: the clips, bit for bit, that `data=videos` makes of the same files.

    Args:
        path: its folder, or an address that fsspec knows: s3://bucket/folder, https://..., memory://...; what is
            read of it is kept on this machine's disk, by blocks.
        size, channels: what it must have been packed at; None takes what there is.
        split: use the videos of this split only ("train"); None: all.
        cache: folder for the blocks; default `$VGEN_CACHE`, else ~/.cache/vgen/clips.
        mixed_shards: None shuffles all videos of a pass together, so that clips come from everywhere at once. A number
            shuffles the shards and then the videos of so many shards at a time. Each video still comes once per pass,
            and the order is still that of any number of processes; but clips of a batch are less independent. Shards
            follow the order of the files, so a few of them may hold few of the classes.
        min_frames: shorter videos are skipped; may be set until `prepare`.

    Raises:
        FileNotFoundError: no packed dataset there (on first use).
        ValueError: packed at another size, no such split, damaged, or no video left (on first use).
    """

    def __init__(
        self,
        *,
        path: str,
        size: int | None = None,
        channels: int | None = None,
        split: str | None = None,
        cache: str | None = None,
        mixed_shards: int | None = None,
        min_frames: int = 1,
    ) -> None:
        if mixed_shards is not None and mixed_shards < 1:
            raise ValueError(f"data.mixed_shards is {mixed_shards}: it must be at least 1")
        path = path.removeprefix("file://")
        self.path = path.rstrip("/") if is_remote(path) else str(Path(path).expanduser().absolute())
        self.cache, self.mixed_shards = default_cache(cache), mixed_shards
        self.size, self.channels = size, channels
        self.split = split
        self.min_frames = min_frames
        self.name = Path(self.path).name
        self.skipped: list[Skipped] = []
        self._pack: Pack | None = None
        self._kept: list[Packed] | None = None

    @cached_property
    def index(self) -> dict[str, Any]:
        """What the dataset's `dataset.json` says."""
        try:
            return read_index(self.path)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"data.path: {self.path} is no packed dataset (no {INDEX} in it): make one with vgen "
                "prepare, or read it with data=videos"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path}/{INDEX} is damaged: {error}") from error

    @property
    def classes(self) -> list[str]:
        return list(self.index["classes"])

    @property
    def resize(self) -> str:
        """How the videos were brought to their size."""
        return self.index["settings"]["resize"]

    @property
    def resample(self) -> str:
        return self.index["settings"]["resample"]

    def describe(self) -> str:
        """What is there, in one line: "56 packed videos in 4 classes"."""
        what = f"{len(self.index['videos']):,} packed videos"
        return f"{what} in {len(self.classes)} classes" if self.classes else what

    def prepare(self) -> None:
        """Nothing to do but to see that it is there."""
        self.setup()

    def setup(self) -> None:
        pack = self._open()
        height, width, channels = pack.frame
        if self.size not in (None, height) or (self.size is not None and height != width):
            raise ValueError(
                f"{self.path} is packed at {width}x{height}: set clip.size={height}, or prepare it at {self.size}"
            )
        if self.channels not in (None, channels):
            raise ValueError(
                f"{self.path} is packed with {channels} channels: set clip.channels={channels}, or prepare it again"
            )
        of_split = [video for video in pack.videos if self.split in (None, video.split)]
        if not of_split:
            splits = sorted({video.split for video in pack.videos if video.split})
            there = f"it has {', '.join(splits)}" if splits else "it has none"
            raise ValueError(f"data.split={self.split}: no such split in {self.path}; {there}")
        self._kept = [video for video in of_split if video.frames >= self.min_frames]
        self.__dict__.pop("fingerprint", None)
        short = [
            Skipped(video.name, f"{video.frames} frames, {self.min_frames} needed")
            for video in of_split
            if video.frames < self.min_frames
        ]
        self.skipped = [*pack.skipped, *short]
        if not self._kept:
            first = short[0]
            raise ValueError(
                f"data.path: no usable video in {self.path}: {first.path}: {first.reason} (and {len(short) - 1} more)"
            )

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
    def remote(self) -> bool:
        """Whether reading waits for a network."""
        return is_remote(self.path)

    @property
    def shards(self) -> list[int]:
        """Which shard every video lies in."""
        return [video.shard for video in self._videos]

    @property
    def names(self) -> list[str]:
        """Path of every video in the folder that it was made of."""
        return [video.name for video in self._videos]

    @property
    def rates(self) -> list[float | None]:
        """Frames per second of every video, None where it does not say."""
        return [video.fps for video in self._videos]

    @property
    def fps(self) -> float | None:
        return typical_rate(self._videos)

    @property
    def lossy(self) -> bool | None:
        """Whether storing the videos had changed their pictures before they were packed."""
        return any_lossy(self._videos)

    @property
    def stored_sizes(self) -> str:
        """Width and height before they were resized."""
        return list_sizes(self._videos)

    @cached_property
    def fingerprint(self) -> str:
        """That of `data=videos` with the same files and settings."""
        return fingerprint_of(self.index["settings"], self.classes, self._videos)

    @property
    def _videos(self) -> list[Packed]:
        if self._kept is None:
            raise RuntimeError(f"{self.path}: prepare() and setup() come first")
        return self._kept

    def _open(self) -> Pack:
        if self._pack is None:  # also in a spawned worker, where the maps did not come along
            self._pack = Pack(self.path, self.index, self.cache)
        return self._pack

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pack": None}
