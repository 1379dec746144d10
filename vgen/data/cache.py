"""Folders that are whole or absent, whoever is killed and however many processes want them at once."""

import errno
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

ELSEWHERE = "Set data.cache or VGEN_CACHE to a folder elsewhere."


def default_cache(cache: str | None = None) -> Path:
    """The folder `cache`; without, $VGEN_CACHE, else ~/.cache/vgen/clips."""
    return Path(cache or os.environ.get("VGEN_CACHE") or "~/.cache/vgen/clips").expanduser().absolute()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one process on this machine at a time; the others wait. A killed holder lets go by itself.

    Raises:
        ValueError: the cache around `folder` cannot be written.
    """
    with explained(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = open(folder.with_name(f"{folder.name}.lock"), "w")  # noqa: SIM115 - closed below
    with file:
        try:
            import fcntl
        except ImportError:  # no such locks on Windows: all do the work, and the renaming settles it
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another process is making %s: waiting for it", folder)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            log.debug("no lock for %s", folder)
        yield


@contextmanager
def publishing(folder: Path, estimate: int) -> Iterator[Path]:
    """A temporary folder to fill; it becomes `folder` if the block ends well, else it is removed.

    Files in it must be synced (`sync`) by whoever writes them. An older `folder` is replaced.

    Args:
        estimate: bytes that will be written, to refuse early what cannot fit.

    Raises:
        ValueError: too little space, or the cache cannot be written.
    """
    cache = folder.parent
    with explained(cache):
        _clear_leftovers(cache)
        free = shutil.disk_usage(cache).free
        if estimate > free:
            raise OSError(errno.ENOSPC, f"{estimate / 1e9:,.1f} GB are needed, {free / 1e9:,.1f} GB are free")
        temporary = folder.with_name(f"{folder.name}.{socket.gethostname()}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            _publish(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def sync(file: IO) -> None:
    """Bring what was written to `file` to the disk."""
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def explained(cache: Path) -> Iterator[None]:
    """What the disk refuses inside, as a ValueError that says what to set."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "too little space in" if full else "cannot write"
        raise ValueError(f"{what} the cache {cache}: {error.strerror}. {ELSEWHERE}") from error


def _publish(temporary: Path, folder: Path) -> None:
    _sync_folder(temporary)
    if folder.exists():  # not whole, or made of other files
        aside = temporary.with_name(f"{temporary.name[:-4]}.old.tmp")
        folder.rename(aside)
        temporary.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            return  # another machine was faster
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clear_leftovers(cache: Path) -> None:
    """Remove what killed processes of this machine left behind."""
    for path in cache.glob(f"*.{socket.gethostname()}.*.tmp"):
        pid = path.name.removesuffix(".tmp").removesuffix(".old").rsplit(".", 1)[-1]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":  # signal 0 is no mere question there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
