"""The files under a folder, those in archives among them."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vgen.data.archive import ARCHIVE_SUFFIXES, members
from vgen.data.entry import Unreadable, natural, reason
from vgen.data.source import Skipped

log = logging.getLogger(__name__)

DEEPEST = 64  # folders inside each other; file systems and archives can be made deeper on purpose


@dataclass(frozen=True)
class File:
    """A file under the top.

    Attributes:
        parents: the folders between the top and it. An archive counts as the folder in which it lies.
        name: its last name.
        archive: the archive that holds it, relative to the top; "" if none does.
        member: its path: in the archive, else relative to the top.
    """

    parents: tuple[str, ...]
    name: str
    archive: str
    member: str

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()


def list_files(top: Path, only: str = "") -> tuple[list[File], list[Skipped]]:
    """All files under `top` in natural order, and what could not be looked into.

    Names that begin with a dot are passed over; archives in archives are refused. Links are followed, unless to a
    folder that holds them.

    Args:
        only: name of the one file in `top` to look at.
    """
    files: list[File] = []
    refused: list[Skipped] = []
    if only:
        _add(top, (), only, files, refused)
    else:
        _walk(top, (), frozenset(), files, refused)
    for archive in _unpacked(files):
        files = [file for file in files if file.archive != archive]
        log.warning("%s lies unpacked beside itself: passed over", archive)
    return files, refused


def _unpacked(files: list[File]) -> list[str]:
    """Archives of which every file is there outside of them too, in the same folder or in one of the archive's name."""
    outside = {file.member for file in files if not file.archive}
    missing: dict[str, list[bool]] = {}
    for file in files:
        if file.archive:
            depth = file.archive.count("/")
            own = PurePosixPath(file.archive).stem
            path = (*file.parents, file.name)
            copies = "/".join(path), "/".join((*path[:depth], own, *path[depth:]))
            lacks = missing.setdefault(file.archive, [False, False])
            for i, copy in enumerate(copies):
                lacks[i] |= copy not in outside
    return [archive for archive, lacks in missing.items() if not all(lacks)]


def _walk(
    top: Path, parts: tuple[str, ...], above: frozenset[str], files: list[File], refused: list[Skipped]
) -> None:
    folder = top.joinpath(*parts)
    here = os.path.realpath(folder)
    where = "/".join(parts) or str(top)
    if here in above:
        refused.append(Skipped(where, "is a link to a folder that holds it"))
        return
    if len(parts) > DEEPEST:
        refused.append(Skipped(where, f"lies more than {DEEPEST} folders deep"))
        return
    try:
        with os.scandir(folder) as listing:
            names = sorted((item.name for item in listing), key=natural)
    except OSError as error:
        refused.append(Skipped(where, f"cannot be listed: {error.strerror}"))
        return
    for name in filter(_shown, names):
        if os.path.isdir(folder / name):
            _walk(top, (*parts, name), above | {here}, files, refused)
        else:
            _add(top, parts, name, files, refused)


def _shown(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def _add(top: Path, parts: tuple[str, ...], name: str, files: list[File], refused: list[Skipped]) -> None:
    path = "/".join((*parts, name))
    if not path.lower().endswith(ARCHIVE_SUFFIXES):
        files.append(File(parts, name, "", path))
        return
    try:
        inside = members(top / path)
    except (OSError, Unreadable) as error:
        refused.append(Skipped(path, reason(error)))
        return
    refused += [Skipped(f"{path}/{member}".rstrip("/"), why) for member, why in inside.refused]
    for member in sorted(inside.names, key=natural):
        folders = [piece for piece in member.split("/") if piece not in ("", ".")]
        if not folders or not all(map(_shown, folders)):
            continue
        if folders[-1].lower().endswith(ARCHIVE_SUFFIXES):
            refused.append(Skipped(f"{path}/{member}", "is an archive in an archive: unpack the outer one"))
        else:
            files.append(File((*parts, *folders[:-1]), folders[-1], path, member))
