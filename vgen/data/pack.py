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
    videos            [{name, label, split, fps, lossy, stored, times, shard, start, frames, hash}] in order; frames
                      [start, start + frames) of shard number `shard`; `hash` is BLAKE2b (16 bytes) of its pixels;
                      `times` is when they are shown: seconds between two, or a list of seconds, or None
    skipped           [{path, reason}]

and, for those who read it, name, source, counts, splits, fps, fingerprint, licence, citation, vgen, created. The cache
of `data=videos` is the same with one shard, `frames.npy`, without sha256 and the last line.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    times: float | list[float] | None = None


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
        self._verified: set[tuple[int, int]] = set()  # videos from elsewhere, by shard and start
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
        for video in videos:
            self._verify(video)

    def _verify(self, video: Packed) -> None:
        """Once all of a video has come from elsewhere, see that it is what was packed."""
        place, frame, shard = (video.shard, video.start), math.prod(self.frame), self.shards[video.shard]
        start = shard.bytes - (shard.frames - video.start) * frame
        if self._remote is None or place in self._verified:
            return
        if not self._remote.holds(shard.file, start, start + video.frames * frame):
            return
        pixels = self._frames(video.shard)[video.start : video.start + video.frames]
        if hashlib.blake2b(pixels.data, digest_size=16).hexdigest() != video.hash:
            self._remote.forget(shard.file, start, start + video.frames * frame)
            raise ValueError(
                f"{self.folder}: {video.name} in {shard.file} is not what was packed: damaged or replaced"
            )
        self._verified.add(place)

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
