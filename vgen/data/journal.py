"""Shards that grow video by video, and the journal by which an interrupted command goes on.

`journal.jsonl` has a line for each video whose pixels are in a shard, for each that was skipped, and for each shard
that is complete. A line is written after what it tells of, so what is beyond the last line is made again.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from vgen.data.cache import sync
from vgen.data.pack import Packed, Shard
from vgen.data.packing import write_header
from vgen.data.source import Skipped
from vgen.files import replacing

JOURNAL = "journal.jsonl"

Frame = tuple[int, int, int]


@dataclass
class State:
    """What of a dataset is made, in order."""

    videos: list[Packed] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)

    @property
    def next(self) -> int:
        """Number of the first video of which nothing is known."""
        return len(self.videos) + len(self.skipped)

    @property
    def open_frames(self) -> int:
        """Frames in the shard that is not complete."""
        return sum(video.frames for video in self.videos if video.shard == len(self.shards))

    @property
    def bytes(self) -> int:
        """Of the complete shards."""
        return sum(shard.bytes for shard in self.shards)


def resume(output: Path, frame: Frame) -> State:
    """What the journal in `output` tells and the shards bear out; it is left with these lines alone.

    The pixels of videos in a shard that is not complete are compared with their hashes: after a power cut a journal
    may tell of what never reached the disk.
    """
    rows = list(_rows(output / JOURNAL))
    sealed = [Shard(**row) for kind, row in rows if kind == "shard"]
    whole = next((i for i, shard in enumerate(sealed) if not _has_size(output, shard)), len(sealed))
    state, kept = State(), 0
    for kind, row in rows:
        if kind == "shard":
            if len(state.shards) == whole:
                break
            state.shards.append(Shard(**row))
        elif kind == "skipped":
            state.skipped.append(Skipped(**row))
        else:
            video = Packed(**row)
            if video.shard >= whole and not _is_there(output, video, frame):
                break
            state.videos.append(video)
        kept += 1
    with replacing(output / JOURNAL) as partial:
        partial.write_text("".join(_line(kind, row) for kind, row in rows[:kept]), encoding="utf-8")
    return state


class Writer:
    """Appends videos to shards, and tells the journal. On leaving it in order the last shard is completed.

    Args:
        output: the dataset's folder.
        frame: shape (H, W, C) of its frames.
        state: what is there (`resume`); it is kept up to date.
        shard_bytes: of frames in a shard at most; a single video that has more gets a shard of its own.
    """

    def __init__(self, output: Path, frame: Frame, state: State, shard_bytes: int) -> None:
        self.output, self.frame, self.state = output, frame, state
        self.limit = shard_bytes
        self.frames = state.open_frames
        self._journal = open(output / JOURNAL, "a", encoding="utf-8")  # noqa: SIM115 - closed with the writer
        self._shard: IO[bytes] | None = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self.frames:
                self._seal()
        finally:
            if self._shard is not None:
                self._shard.close()
            self._journal.close()

    def skip(self, skipped: Skipped) -> None:
        self.state.skipped.append(skipped)
        self._note("skipped", asdict(skipped))

    def place(self, frames: int) -> tuple[int, int]:
        """Shard and first frame of the next video, which has so many frames."""
        if self.frames and (self.frames + frames) * bytes_of(self.frame) > self.limit:
            self._seal()
        return len(self.state.shards), self.frames

    def add(self, video: Packed, pixels: Path) -> None:
        """Append the pixels of a video that lies where `place` has said."""
        if self._shard is None:
            self._shard = self._open()
        with open(pixels, "rb") as file:
            shutil.copyfileobj(file, self._shard, 1 << 20)
        self._shard.flush()
        self.frames += video.frames
        self.state.videos.append(video)
        self._note("video", asdict(video))

    def _open(self) -> IO[bytes]:
        path = self.output / _shard_name(len(self.state.shards))
        path.parent.mkdir(exist_ok=True)
        shard = open(path, "r+b" if self.frames else "wb")  # noqa: SIM115 - closed when it is sealed
        write_header(shard, self.frames, self.frame)
        shard.truncate(shard.tell() + self.frames * bytes_of(self.frame))  # what no line tells of
        shard.seek(0, os.SEEK_END)
        return shard

    def _seal(self) -> None:
        shard = self._shard or self._open()
        size = shard.tell()
        shard.seek(0)
        write_header(shard, self.frames, self.frame)
        sync(shard)
        shard.close()
        self._shard = None
        file = _shard_name(len(self.state.shards))
        sealed = Shard(file, self.frames, size, sha256_of(self.output / file))
        self.state.shards.append(sealed)
        self.frames = 0
        self._note("shard", asdict(sealed))
        sync(self._journal)

    def _note(self, kind: str, row: dict[str, Any]) -> None:
        self._journal.write(_line(kind, row))
        self._journal.flush()


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def video_hash(path: Path, video: Packed, frame: Frame) -> str:
    """The hash of a video's pixels as they lie in its shard."""
    header = io.BytesIO()
    write_header(header, 0, frame)
    digest, left = hashlib.blake2b(digest_size=16), video.frames * bytes_of(frame)
    with open(path, "rb") as file:
        file.seek(header.tell() + video.start * bytes_of(frame))
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def bytes_of(frame: Frame) -> int:
    height, width, channels = frame
    return height * width * channels


def _rows(journal: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of a journal, up to one that was cut off."""
    if not journal.exists():
        return
    for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            ((kind, row),) = json.loads(line).items()
        except (ValueError, AttributeError):
            return
        yield kind, row


def _line(kind: str, row: dict[str, Any]) -> str:
    return json.dumps({kind: row}) + "\n"


def _has_size(output: Path, shard: Shard) -> bool:
    try:
        return (output / shard.file).stat().st_size == shard.bytes
    except OSError:
        return False


def _is_there(output: Path, video: Packed, frame: Frame) -> bool:
    try:
        return video_hash(output / _shard_name(video.shard), video, frame) == video.hash
    except OSError:
        return False


def _shard_name(number: int) -> str:
    return f"shards/{number:05d}.npy"
