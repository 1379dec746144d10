"""Decoded videos in one memory-mapped file: decode once, read at the speed of memory.

A pack is a folder with `frames.npy`, all frames of all videos (N, H, W, C) uint8, `times.npy`, when each is shown
(N,) float64 in seconds (NaN where nothing says it), and `index.json`, which says where each video begins. It is
written under a temporary name, synced and renamed, so a folder of the right name is whole; `open_pack` checks it.
"""

import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from tqdm import tqdm

from vgen.data.cache import alone, publishing, sync
from vgen.data.entry import Block, Probe, reason
from vgen.data.retime import settle_times
from vgen.data.source import Skipped

VERSION = 3
IN_MEMORY = 64 << 20  # bytes of one video; a longer one waits on disk for its turn


@dataclass(frozen=True)
class Packed:
    """One video of a pack: frames [start, start + frames) of the file. `stored` is its own size, "320x240"."""

    name: str
    label: int | None
    fps: float | None
    lossy: bool | None
    stored: str
    start: int
    frames: int
    hash: str


@dataclass(frozen=True)
class Pack:
    """A whole pack: the mapped frames (N, H, W, C), their times (N,), where the videos are, and what was left out."""

    frames: np.ndarray
    times: np.ndarray
    videos: list[Packed]
    skipped: list[Skipped]


@dataclass(frozen=True)
class Job:
    """One video to pack: `frames` yields blocks of (n, H, W, C) uint8, or raises to have it skipped."""

    name: str
    label: int | None
    probe: Callable[[], Probe]
    frames: Callable[[], Iterator[Block]]


def open_pack(folder: Path, key: str) -> Pack | None:
    """The pack in `folder`; None if there is none, it was made of something else (`key`) or is not whole."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        if index["version"] != VERSION or index["key"] != key:
            return None
        videos = [Packed(**video) for video in index["videos"]]
        skipped = [Skipped(**video) for video in index["skipped"]]
        if not videos:
            return Pack(np.zeros((0, *index["frame"]), np.uint8), np.zeros(0), videos, skipped)
        frames = np.load(folder / "frames.npy", mmap_mode="r", allow_pickle=False)
        times = np.load(folder / "times.npy", allow_pickle=False)
        stored = (folder / "frames.npy").stat().st_size
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    shape = (sum(video.frames for video in videos), *index["frame"])
    if frames.dtype != np.uint8 or frames.shape != shape or stored != frames.offset + frames.nbytes:
        return None
    if times.dtype != np.float64 or times.shape != shape[:1]:
        return None
    return Pack(frames.view(np.ndarray), times, videos, skipped)


def write_pack(
    folder: Path, key: str, jobs: list[Job], *, frame: tuple[int, int, int], estimate: int
) -> Pack:
    """Decode `jobs` into a pack of frames of shape `frame` at `folder`, or open what another process wrote.

    Args:
        estimate: bytes that the frames will take, to refuse early what cannot fit.

    Raises:
        ValueError: the cache folder cannot be written or is too small.
    """
    with alone(folder):
        pack = open_pack(folder, key)
        if pack is None:
            with publishing(folder, estimate) as temporary:
                _fill(temporary, key, jobs, frame)
            pack = open_pack(folder, key)
    if pack is None:
        raise ValueError(f"the cache {folder} was changed while it was written: run again")
    return pack


def _fill(folder: Path, key: str, jobs: list[Job], frame: tuple[int, int, int]) -> None:
    videos: list[Packed] = []
    skipped: list[Skipped] = []
    times: list[np.ndarray] = []
    total = 0
    with open(folder / "frames.npy", "wb") as file:
        _write_header(file, 0, frame)
        with closing(_decoded(jobs, folder)) as decoded:
            for job, result in decoded:
                if isinstance(result, str):
                    skipped.append(Skipped(job.name, result))
                    continue
                with result.pixels as pixels:
                    shutil.copyfileobj(pixels, file, 1 << 20)
                facts, (width, height) = result.probe, result.probe.size
                videos.append(
                    Packed(
                        name=job.name,
                        label=job.label,
                        fps=facts.fps,
                        lossy=facts.lossy,
                        stored=f"{width}x{height}",
                        start=total,
                        frames=result.frames,
                        hash=result.hash,
                    )
                )
                times.append(settle_times(result.times, facts.fps))
                total += result.frames
        file.seek(0)
        _write_header(file, total, frame)
        sync(file)
    with open(folder / "times.npy", "wb") as file:
        np.save(file, np.concatenate([np.zeros(0), *times]))
        sync(file)
    index = {"version": VERSION, "key": key, "frame": frame}
    index |= {"videos": [asdict(v) for v in videos], "skipped": [asdict(s) for s in skipped]}
    with open(folder / "index.json", "w", encoding="utf-8") as file:
        json.dump(index, file, indent=1)
        sync(file)


def _write_header(file: IO[bytes], total: int, frame: tuple[int, int, int]) -> None:
    # numpy pads the header, so that the number of frames can be filled in afterwards.
    header = {"descr": "|u1", "fortran_order": False, "shape": (total, *frame)}
    np.lib.format.write_array_header_1_0(file, header)


@dataclass(frozen=True)
class _Decoded:
    pixels: IO[bytes]
    times: np.ndarray
    probe: Probe
    hash: str

    @property
    def frames(self) -> int:
        return len(self.times)


def _decoded(jobs: list[Job], folder: Path) -> Generator[tuple[Job, _Decoded | str], None, None]:
    """The jobs in order with their frames, or why they have none; decoded side by side, a few ahead."""
    threads = min(8, os.cpu_count() or 1)  # decoding and resizing run outside the interpreter's lock
    stop = threading.Event()
    pending: deque[tuple[Job, Future[_Decoded | str]]] = deque()
    todo = iter(jobs)
    with (
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=len(jobs), desc="Decoding", unit="video", disable=None) as bar,
    ):
        try:
            while True:
                while len(pending) < 2 * threads and (job := next(todo, None)) is not None:
                    pending.append((job, pool.submit(_decode, job, folder, stop)))
                if not pending:
                    return
                job, future = pending.popleft()
                yield job, future.result()
                bar.update()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _decode(job: Job, folder: Path, stop: threading.Event) -> _Decoded | str:
    pixels = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115 - read by the caller
    digest, times = hashlib.blake2b(digest_size=16), [np.zeros(0)]
    try:
        probe, blocks = job.probe(), job.frames()
    except Exception as error:  # whatever is wrong with one video must not stop the others
        return reason(error)
    while not stop.is_set():
        try:
            block = next(blocks, None)
        except Exception as error:
            return reason(error)
        if block is None:
            break
        raw = block.pixels.reshape(-1).data
        pixels.write(raw)  # an error here is the cache's, not the video's
        digest.update(raw)
        times.append(block.times)
    pixels.seek(0)
    return _Decoded(pixels, np.concatenate(times), probe, digest.hexdigest())
