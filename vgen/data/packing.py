"""Videos -> a pack with one shard, written whole or not at all: the cache of `data=videos`."""

import hashlib
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
from vgen.data.pack import FORMAT, VERSION, Pack, Packed, Shard, open_pack, write_index
from vgen.data.retime import pack_times
from vgen.data.source import Skipped
from vgen.data.storage import INDEX

IN_MEMORY = 64 << 20  # bytes of one video; a longer one waits on disk for its turn


@dataclass(frozen=True)
class Job:
    """One video to pack: `frames` yields blocks of (n, H, W, C) uint8, or raises to have it skipped."""

    name: str
    label: int | None
    probe: Callable[[], Probe]
    frames: Callable[[], Iterator[Block]]


@dataclass(frozen=True)
class Decoded:
    """What came of a job: its number of frames and when they are shown (`vgen.data.retime.pack_times`), what its header
    says, and the BLAKE2b hash of its pixels.
    """

    frames: int
    times: float | list[float] | None
    probe: Probe
    hash: str

    def packed(
        self, name: str, label: int | None, *, start: int, shard: int = 0, split: str | None = None
    ) -> Packed:
        """The video's row in an index."""
        width, height = self.probe.size
        return Packed(
            name=name,
            label=label,
            fps=self.probe.fps,
            lossy=self.probe.lossy,
            stored=f"{width}x{height}",
            start=start,
            frames=self.frames,
            hash=self.hash,
            shard=shard,
            split=split,
            times=self.times,
        )


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


def decode_job(job: Job, pixels: IO[bytes], stop: Callable[[], bool] = lambda: False) -> Decoded | str:
    """Write the pixels of a video to a file; what came of it, or why it has none.

    Raises:
        OSError: the file cannot be written; an error of the video's own is returned as its reason.
    """
    digest, times = hashlib.blake2b(digest_size=16), [np.zeros(0)]
    try:
        probe, blocks = job.probe(), job.frames()
    except Exception as error:  # whatever is wrong with one video must not stop the others
        return reason(error)
    while not stop():
        try:
            block = next(blocks, None)
        except Exception as error:
            return reason(error)
        if block is None:
            break
        raw = block.pixels.reshape(-1).data
        pixels.write(raw)
        digest.update(raw)
        times.append(block.times)
    shown = np.concatenate(times)
    return Decoded(len(shown), pack_times(shown, probe.fps), probe, digest.hexdigest())


def write_header(file: IO[bytes], total: int, frame: tuple[int, int, int]) -> None:
    """The .npy header of `total` frames; it always has the same length, so it can be filled in afterwards."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (total, *frame)}
    np.lib.format.write_array_header_1_0(file, header)


def _fill(folder: Path, key: str, jobs: list[Job], frame: tuple[int, int, int]) -> None:
    videos: list[Packed] = []
    skipped: list[Skipped] = []
    total = 0
    with open(folder / "frames.npy", "wb") as file:
        write_header(file, 0, frame)
        with closing(_decoded(jobs, folder)) as decoded:
            for job, pixels, result in decoded:
                with pixels:
                    if isinstance(result, str):
                        skipped.append(Skipped(job.name, result))
                        continue
                    pixels.seek(0)
                    shutil.copyfileobj(pixels, file, 1 << 20)
                videos.append(result.packed(job.name, job.label, start=total))
                total += result.frames
        size = file.tell()
        file.seek(0)
        write_header(file, total, frame)
        sync(file)
    index = {
        "format": FORMAT,
        "version": VERSION,
        "key": key,
        "frame": frame,
        "shards": [asdict(Shard("frames.npy", total, size))],
        "videos": [asdict(video) for video in videos],
        "skipped": [asdict(video) for video in skipped],
    }
    write_index(folder / INDEX, index)
    with open(folder / INDEX, "rb+") as file:
        sync(file)


def _decoded(jobs: list[Job], folder: Path) -> Generator[tuple[Job, IO[bytes], Decoded | str], None, None]:
    """The jobs in order, each with a file of its pixels; decoded side by side, a few ahead."""
    threads = min(8, os.cpu_count() or 1)  # decoding and resizing run outside the interpreter's lock
    stop = threading.Event()
    pending: deque[tuple[Job, IO[bytes], Future[Decoded | str]]] = deque()
    todo = iter(jobs)
    with (
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=len(jobs), desc="Decoding", unit="video", disable=None) as bar,
    ):
        try:
            while True:
                while len(pending) < 2 * threads and (job := next(todo, None)) is not None:
                    pixels = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115
                    pending.append((job, pixels, pool.submit(decode_job, job, pixels, stop.is_set)))
                if not pending:
                    return
                job, pixels, future = pending.popleft()
                yield job, pixels, future.result()
                bar.update()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
