"""Files in zip and tar archives, read where they lie: nothing is ever unpacked under the name of a member."""

import errno
import io
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, BinaryIO, cast

from vgen.data.entry import Unreadable, reason, require_file

ARCHIVE_SUFFIXES = (".zip", ".tar")
LARGEST = 16 << 30  # bytes of a member; a header that declares more is not believed
IN_MEMORY = 64 << 20  # bytes of a member; a longer one is held in a temporary file without a name
BLOCK = tarfile.BLOCKSIZE
# A member of more bytes that was packed more than 200-fold is no picture or video.
BOMB_SIZE, BOMB_RATIO = 16 << 20, 200


@dataclass(frozen=True)
class Members:
    """What an archive holds: names of its files in their order, and (name, reason) of what is passed over."""

    names: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def members(path: Path) -> Members:
    """The files in an archive. Links, devices, encrypted members and names that lead out of it are refused.

    Raises:
        Unreadable: it is no archive, or damaged.
        OSError: it cannot be opened.
    """
    return _index(path).members


def open_file(root: Path, archive: str, name: str) -> BinaryIO:
    """A file under `root`, or a member of the archive there: open for reading, seekable.

    A member of a zip has been compared with its checksum.

    Raises:
        Unreadable: the member is damaged or not to be believed.
        OSError: it cannot be opened.
    """
    if not archive:
        require_file(root / name)
        return open(root / name, "rb")
    return _index(root / archive).open(name)


class _Zip:
    def __init__(self, path: Path):
        self._path = path
        with _explained():
            self._zip = zipfile.ZipFile(path)
        self.members = Members()
        self._known: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            if info.is_dir():
                continue
            name = info.filename.replace("\\", "/")
            problem = _unsafe(name) or self._problem(info) or ("comes twice" if name in self._known else None)
            if problem:
                self.members.refused.append((name, problem))
            else:
                self._known[name] = info
                self.members.names.append(name)

    def _problem(self, info: zipfile.ZipInfo) -> str | None:
        if stat.S_ISLNK(info.external_attr >> 16):
            return "is a link"
        if info.flag_bits & 1:
            return "is encrypted"
        return _too_large(info.file_size, info.compress_size)

    def open(self, name: str) -> BinaryIO:
        copy = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the caller closes it
        try:
            with _explained(), self._zip.open(self._known[name]) as member:
                shutil.copyfileobj(member, copy, 1 << 20)
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return cast(BinaryIO, copy)


class _Tar:
    def __init__(self, path: Path):
        self._path = path
        self.members = Members()
        self._known: dict[str, tuple[int, int]] = {}
        size = path.stat().st_size
        with _explained():
            tar = tarfile.open(path, "r:")  # noqa: SIM115 - closed below
        with tar:
            try:
                for info in tar:
                    if info.isdir():
                        continue
                    problem = _unsafe(info.name) or self._problem(info, size)
                    if problem:
                        self.members.refused.append((info.name, problem))
                        continue
                    if info.name not in self._known:  # a later one of the same name replaces the earlier
                        self.members.names.append(info.name)
                    self._known[info.name] = info.offset_data, info.size
                    # Else it keeps every header, of millions of members.
                    tar.members = []  # pyright: ignore[reportAttributeAccessIssue]
                # At a header that is none, tarfile stops as at the end mark.
                with open(path, "rb") as file:
                    file.seek(tar.offset)  # pyright: ignore[reportAttributeAccessIssue]
                    if file.read(BLOCK) != bytes(BLOCK):
                        self.members.refused.append(("", "it ends, or is damaged, before its end mark"))
            except Exception as error:
                # tarfile raises what its parts happen to: ReadError, ValueError, struct.error, ...
                self.members.refused.append(("", f"it is damaged: {reason(error)}"))

    def _problem(self, info: tarfile.TarInfo, size: int) -> str | None:
        if not info.isreg() or info.issparse():
            return "is no plain file"
        return "is cut off" if info.offset_data + info.size > size else None

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(_Window(self._path, *self._known[name]), 1 << 16))


class _Window(io.RawIOBase):
    """Bytes [start, start + size) of a file."""

    def __init__(self, path: Path, start: int, size: int):
        self._file: IO[bytes] = open(path, "rb", buffering=0)  # noqa: SIM115 - closed with the window
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        self._file.seek(self._start + self._at)
        count = self._file.readinto(view) or 0  # pyright: ignore[reportAttributeAccessIssue]
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _index(path: Path) -> _Zip | _Tar:
    require_file(path)
    facts = path.stat()
    return _opened(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=16)
def _opened(path: Path, size: int, changed: int) -> _Zip | _Tar:
    return _Zip(path) if path.suffix.lower() == ".zip" else _Tar(path)


def _unsafe(name: str) -> str | None:
    outside = name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/")
    return "leads out of the archive" if outside else None


def _too_large(size: int, packed: int) -> str | None:
    if size > LARGEST:
        return f"declares {size:,} bytes"
    if size > BOMB_SIZE and size > BOMB_RATIO * packed:
        return f"declares {size:,} bytes, packed into {packed:,}: not believed"
    return None


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Unreadable("damaged archive: it points before its beginning") from error
    except Exception as error:  # BadZipFile, zlib.error, EOFError, struct.error, ...
        raise Unreadable(f"damaged archive: {reason(error)}") from error
