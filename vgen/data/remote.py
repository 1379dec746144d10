"""A folder of shards in object storage or on a web server, read by blocks that are kept on the local disk.

Addresses are fsspec's: s3://bucket/folder (package s3fs), gs:// (gcsfs), https://, memory://, ... A block comes once
per machine, whichever of its processes asks first; two that ask at once both fetch it, and write the same bytes. Every
block has a checksum beside it, written after it and checked by each process before its first use, so that one which a
crash has left half-written is fetched again and never shown. Whether the bytes are those that were packed can be told
once all of a video has come (`vgen.data.pack`); of a long one, of which only parts are read, it cannot.
"""

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import numpy as np

from vgen.data.cache import explained

BLOCK = (
    1 << 20
)  # bytes: some clips of 64 pixels; little enough to be read for one, enough to be worth a request
RUN = 8  # neighbouring blocks that one request asks for at most
PATIENCE = 0.5, 1.0, 2.0, 4.0  # seconds before asking once more
FINAL = FileNotFoundError, PermissionError, NotImplementedError, ImportError, ValueError


class RemoteFolder:
    """Shards below an address, as files of the local disk that fill with what has been asked for.

    Args:
        url: of the folder.
        cache: folder for the blocks; it grows to the size of what is read, at most that of the shards.
        identity: of the contents; another one gets a place of its own in the cache.
    """

    def __init__(self, url: str, *, cache: Path, identity: str) -> None:
        self.url = url.rstrip("/")
        name = hashlib.blake2b(f"{self.url} {identity}".encode(), digest_size=8).hexdigest()
        self.place = cache / "blocks" / name
        self._files: dict[str, _BlockFile] = {}

    def open(self, file: str, size: int) -> Path:
        """The local file of a shard of `size` bytes; its beginning is there.

        Raises:
            ValueError: the name leads out of the folder, or the cache cannot be written.
        """
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise ValueError(f"{self.url} names a shard outside of it: {file}")
        with explained(self.place):
            opened = self._files[file] = _BlockFile(self.place / file, size)
        self.fetch([(file, np.array([0]), min(size, 1024))])
        return opened.path

    def fetch(self, wanted: Iterable[tuple[str, np.ndarray, int]]) -> None:
        """Make byte ranges readable in the local files: (shard, where they start (n,), how long each is).

        All that is missing is asked for at once.

        Raises:
            OSError: it does not come, after some attempts.
            ValueError: the cache cannot be written.
        """
        missing = []
        for file, starts, length in wanted:
            opened = self._files[file]
            missing += [(file, *run) for run in opened.missing(starts, length)]
        missing = list(dict.fromkeys(missing))
        if not missing:
            return
        found = ranges([(f"{self.url}/{file}", start, end) for file, start, end in missing])
        with explained(self.place):
            for (file, start, _), data in zip(missing, found, strict=True):
                self._files[file].store(start, data)

    def holds(self, file: str, start: int, stop: int) -> bool:
        """Whether bytes [start, stop) of a shard are there, as far as this process knows."""
        return bool(self._files[file].good[start // BLOCK : -(-stop // BLOCK)].all())

    def forget(self, file: str, start: int, stop: int) -> None:
        """Fetch bytes [start, stop) of a shard anew when they are next asked for."""
        blocks = slice(start // BLOCK, -(-stop // BLOCK))
        self._files[file].good[blocks] = False
        self._files[file].sums[blocks] = 0


class _BlockFile:
    """A sparse file, and beside it one checksum per block: 0 for a block that is not there."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = -(-size // BLOCK)
        sums = path.with_name(f"{path.name}.sums")
        for file, length in ((path, size), (sums, 4 * blocks)):
            with open(file, "ab") as opened:
                opened.truncate(length)  # changes nothing where another process has done it
        self.sums = np.memmap(sums, np.uint32, "r+")
        self._bytes = np.memmap(path, np.uint8, "r")
        self.good = np.zeros(blocks, dtype=bool)  # blocks that this process has checked

    def missing(self, starts: np.ndarray, length: int) -> list[tuple[int, int]]:
        """The ranges of bytes, of whole blocks, that are missing to read `length` bytes from each of `starts`."""
        if not len(starts):
            return []
        first, last = starts // BLOCK, (starts + length - 1) // BLOCK
        wanted = np.unique(np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]))
        absent = [block for block in wanted[~self.good[wanted]].tolist() if not self._whole(block)]
        runs: list[list[int]] = []
        for block in absent:
            if runs and block == runs[-1][-1] + 1 and len(runs[-1]) < RUN:
                runs[-1].append(block)
            else:
                runs.append([block])
        return [(run[0] * BLOCK, min((run[-1] + 1) * BLOCK, self.size)) for run in runs]

    def store(self, start: int, data: bytes) -> None:
        """Keep the blocks that begin at byte `start`."""
        with open(self.path, "r+b") as file:
            file.seek(start)
            file.write(data)
        for at in range(0, len(data), BLOCK):
            block = (start + at) // BLOCK
            self.sums[block] = checksum(data[at : at + BLOCK])
            self.good[block] = True

    def _whole(self, block: int) -> bool:
        stored = self.sums[block]
        if not stored or stored != checksum(self._bytes[block * BLOCK : (block + 1) * BLOCK].data):
            return False
        self.good[block] = True
        return True


def checksum(data: bytes | memoryview) -> int:
    """CRC-32, never 0."""
    return zlib.crc32(data) or 1


def read_json(url: str) -> Any:
    """The JSON file at an address.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no JSON, or a package is missing that knows such addresses.
        OSError: it does not come, after some attempts.
    """
    return json.loads(_patiently(url, lambda files, path: files.cat_file(path)))


def file_size(url: str) -> int:
    """Bytes of the file at an address. Raises what `read_json` raises."""
    size = _patiently(url, lambda files, path: files.info(path)["size"])
    if size is None:
        raise OSError(f"{url}: the server does not say how large the file is")
    return int(size)


def ranges(wanted: Sequence[tuple[str, int, int]]) -> list[bytes]:
    """The bytes (url, start, end) of files at one place: asked for all at once, and what fails once more, one by one.

    Raises:
        OSError: some do not come, or not as many bytes as there should be.
    """
    urls, starts, ends = zip(*wanted, strict=True)
    files, _ = _opened(urls[0])
    paths = [_opened(url)[1] for url in urls]
    found = files.cat_ranges(paths, list(starts), list(ends), on_error="return")
    whole = []
    for data, (url, start, end) in zip(found, wanted, strict=True):

        def once_more(files: Any, path: str, start: int = start, end: int = end) -> bytes:
            return _of_length(files.cat_file(path, start, end), end - start)

        try:
            whole.append(_of_length(data, end - start))
        except Exception as error:
            whole.append(_patiently(url, once_more, error))
    return whole


def _of_length(data: Any, length: int) -> bytes:
    if isinstance(data, Exception):
        raise data
    if len(data) != length:
        raise OSError(
            f"{len(data):,} bytes came where {length:,} were asked for: does the server know ranges?"
        )
    return bytes(data)


def _patiently(url: str, ask: Callable[[Any, str], Any], failed: Exception | None = None) -> Any:
    """What `ask(file system, path)` returns, asked again after a while where it fails; `failed` is a first attempt."""
    for wait in (*(() if failed else (0.0,)), *PATIENCE):
        if isinstance(failed, FINAL):
            break
        time.sleep(wait)
        try:
            return ask(*_opened(url))
        except Exception as error:  # every protocol has its own
            failed = error
    if isinstance(failed, (FileNotFoundError, PermissionError, ValueError)):
        raise failed
    reason = " ".join(str(failed).split()) or type(failed).__name__
    raise OSError(f"{url} cannot be read: {reason}") from failed


def _opened(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it. fsspec keeps it, in every process its own."""
    try:
        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ValueError(f"{url}: {' '.join(str(error).split())}") from error
