"""Archives from strangers -> a folder: nothing is written outside of it, and nothing without measure."""

import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SUFFIXES = (".zip", ".rar", *TARS)
RATIO = 200  # bytes per byte of the archive: videos and pictures hardly shrink, and text no more than this
MOST = 20_000_000  # files
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)
# What reads rar, with its words for "unpack ARCHIVE into the folder, overwrite nothing".
RAR_TOOLS = {
    "bsdtar": ("-x", "-k", "--no-same-owner", "-f"),
    "unrar": ("x", "-o-", "-idq", "-p-", "--"),
    "7zz": ("x", "-aos", "-bd", "-p"),
    "7z": ("x", "-aos", "-bd", "-p"),
}


def is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def stem_of(name: str) -> str:
    """The name of an archive without its suffix."""
    suffix = max((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), key=len)
    return name[: -len(suffix)]


def unpack(archive: Path, folder: Path) -> None:
    """Unpack `archive` as `folder`, which appears only when it is whole.

    Plain files and folders are unpacked, nothing else: an archive with links, devices or names that lead out of
    it is refused as a whole, and so is one that would fill the disk or grow more than 200-fold.

    Raises:
        ValueError: it is refused, damaged, or of no known kind; one line.
        FileNotFoundError: nothing on this machine reads rar.
    """
    temporary = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    name = archive.name.lower()
    try:
        with _explained(archive):
            if name.endswith(".zip"):
                _unzip(archive, temporary)
            elif name.endswith(TARS):
                _untar(archive, temporary)
            elif name.endswith(".rar"):
                _unrar(archive, temporary)
            else:
                raise ValueError(f"{archive}: no archive of a known kind ({', '.join(SUFFIXES)})")
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Budget:
    """How much an archive may still write."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.left = min(RATIO * archive.stat().st_size, shutil.disk_usage(folder).free)
        self.files = MOST

    def spend(self, size: int, name: str) -> None:
        self.left -= size
        self.files -= 1
        if self.left < 0 or self.files < 0:
            raise ValueError(f"{name}: it would grow beyond {RATIO} times its size, or fill the disk")


def _unzip(archive: Path, folder: Path) -> None:
    budget = _Budget(archive, folder)
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        for info in infos:
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"{info.filename}: a link or device; refused")
            if info.flag_bits & 1:
                raise ValueError(f"{info.filename}: encrypted")
            _inside(info.filename)
            budget.spend(info.file_size, info.filename)
        for info in infos:
            if not info.is_dir():
                with opened.open(info) as member:
                    _write(folder, info.filename, member, info.file_size)


def _untar(archive: Path, folder: Path) -> None:
    budget = _Budget(archive, folder)
    with tarfile.open(archive, "r:*") as opened:
        for info in opened:
            if info.isdir():
                _inside(info.name)
                continue
            if not info.isreg() or info.issparse():
                raise ValueError(f"{info.name}: a link, device or file with holes; refused")
            budget.spend(info.size, info.name)
            member = opened.extractfile(info)
            assert member is not None  # it is a plain file
            with member:
                _write(folder, info.name, member, info.size)
            opened.members = []  # pyright: ignore[reportAttributeAccessIssue] - else it keeps every header
        end = opened.fileobj
        if end is not None and end.tell() < opened.offset + tarfile.BLOCKSIZE:  # no block of zeros was read
            raise ValueError("it has no end: cut off")


def _unrar(archive: Path, folder: Path) -> None:
    tool = next((name for name in RAR_TOOLS if shutil.which(name)), None)
    if tool is None:
        raise FileNotFoundError(
            f"{archive} is a rar, and none of {', '.join(RAR_TOOLS)} is installed to read it: install one (Debian: "
            "apt install libarchive-tools, or unrar), or unpack it yourself and give the folder as raw=DIR"
        )
    budget = _Budget(archive, folder)
    command = [tool, *RAR_TOOLS[tool], str(archive.absolute())]
    with tempfile.TemporaryFile() as said:
        code = _within_budget(command, folder, said, budget.left)
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    if code != 0:
        last = next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
        raise ValueError(f"{tool} says: {' '.join(last.split())}")
    for path in _all(folder):  # the tools keep within the folder; links would lead out of it afterwards
        facts = path.lstat()
        if not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
            raise ValueError(f"{path.relative_to(folder)}: a link or device; refused")
        budget.spend(facts.st_size if stat.S_ISREG(facts.st_mode) else 0, path.name)


def _within_budget(command: list[str], folder: Path, said: IO[bytes], budget: int) -> int:
    """Run a tool in `folder`, its complaints into `said`, as long as the disk loses no more than `budget` bytes."""
    before = shutil.disk_usage(folder).free
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
    ) as process:
        try:
            while True:
                try:
                    return process.wait(timeout=1.0)
                except subprocess.TimeoutExpired:
                    if before - shutil.disk_usage(folder).free > budget:
                        raise ValueError(
                            f"it grows beyond {RATIO} times its size, or fills the disk"
                        ) from None
        finally:
            process.kill()


def _write(folder: Path, name: str, member: IO[bytes], size: int) -> None:
    target = folder / _inside(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "xb") as file:
        shutil.copyfileobj(member, file, 1 << 20)
        if file.tell() != size:
            raise ValueError(f"{name}: it has {file.tell():,} bytes, and declares {size:,}: damaged")


def _inside(name: str) -> PurePosixPath:
    """A member's name as a path below the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts = path.parts
    if not parts or path.is_absolute() or ".." in parts or ":" in parts[0] or "\0" in name:
        raise ValueError(f"{name}: it leads out of the archive; refused")
    return path


def _all(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        yield from (Path(where) / name for name in (*folders, *files))


@contextmanager
def _explained(archive: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{archive}: damaged: {text}") from error
    except FileExistsError as error:
        raise ValueError(f"{archive}: {error.filename} comes twice; refused") from error
    except ValueError as error:
        if str(error).startswith(str(archive)):
            raise
        raise ValueError(f"{archive}: {error}") from error
