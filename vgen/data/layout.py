"""How the videos of a folder are laid out: found by looking, not asked of the user."""

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from vgen.data.source import Skipped

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".flv", ".wmv", ".asf", ".ogv", ".3gp", ".vob", ".y4m"),
)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
LEAST_STRIP = 4  # frames; cameras make frames of aspect 2:1 and 3:1, and a shorter strip is no video
SAMPLE = 64  # images whose headers decide between strips and frames
DEPTH = 3  # folders below the top that are looked into

Kind = Literal["video file", "frame folder", "strip image"]


@dataclass(frozen=True)
class Entry:
    """One video on disk.

    Attributes:
        name: path relative to the top, with forward slashes.
        kind: how its frames are stored.
        label: index of its class, or None.
        files: the files that hold it, relative to the top, in order of time.
    """

    name: str
    kind: Kind
    label: int | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The videos under a folder, in natural order of their names.

    Attributes:
        entries: the videos.
        classes: names of the class folders, sorted; empty if unlabelled.
        refused: folders that cannot be listed.
    """

    entries: list[Entry]
    classes: list[str]
    refused: list[Skipped]

    def describe(self) -> str:
        """One line: "56 strip images in 4 classes"."""
        counts = Counter(entry.kind for entry in self.entries)
        what = " and ".join(f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in sorted(counts.items()))
        return f"{what} in {len(self.classes)} classes" if self.classes else what


@dataclass
class _Folder:
    parts: tuple[str, ...]
    videos: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Found:
    parents: tuple[str, ...]  # folders between the top and the video
    name: str
    kind: Kind
    files: tuple[str, ...] = ()  # the video itself if empty


def natural(name: str) -> tuple:
    """Sort key under which frame10 comes after frame9."""
    pieces = re.split(r"([0-9]+)", name)
    return tuple(int(piece) if i % 2 else piece.casefold() for i, piece in enumerate(pieces)), name


def strip_frames(width: int, height: int) -> int | None:
    """Frames in a strip of square frames of this size; None if it is no strip."""
    short, long = sorted((width, height))
    return long // short if short and long % short == 0 and long >= LEAST_STRIP * short else None


def require_file(path: Path) -> None:
    """OSError unless `path` can be opened as a file: opening a pipe or a device might never return."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(0, "not a regular file")


def scan(root: Path) -> Layout:
    """Find the videos under `root`.

    A video is a video file, a folder of frame images, or one strip image. Videos lie directly in `root`
    (unlabelled) or in its sub-folders, which then are the classes; a single sub-folder is no class. Files of
    other types and names that begin with a dot are passed over.

    Images are strips if the longer side of most of them is a whole multiple, at least 4, of the shorter one
    (frames side by side, or one below the other); else a folder of images is one video, its frames in natural
    order. The headers of up to 64 images spread over the whole set decide, once for all of it. In a folder
    that holds video files, images are taken for thumbnails and passed over.

    Raises:
        FileNotFoundError: `root` does not exist.
        ValueError: `root` is a file, holds no video, or holds them at different or too great depths.
    """
    if not root.exists():
        raise FileNotFoundError(f"data.path: there is no folder {root}")
    if not root.is_dir():
        raise ValueError(f"data.path is a file: {root}. Give the folder that holds the videos.")
    refused: list[Skipped] = []
    folders = _walk(root, (), refused)
    strips = _are_strips(root, folders)
    found: list[_Found] = []
    for folder in folders:
        prefix = "".join(f"{part}/" for part in folder.parts)
        if folder.videos:
            found += [_Found(folder.parts, prefix + file, "video file") for file in folder.videos]
        elif folder.images and strips:
            found += [_Found(folder.parts, prefix + file, "strip image") for file in folder.images]
        elif folder.images and not folder.parts:
            raise ValueError(
                f"data.path: {root} holds {len(folder.images)} images that are no strips: "
                "put the frames of each video into a folder of its own"
            )
        elif folder.images:
            files = tuple(prefix + file for file in folder.images)
            found.append(_Found(folder.parts[:-1], prefix.rstrip("/"), "frame folder", files))
    if not found:
        raise ValueError(
            f"data.path: no video in {root}. Understood are video files (mp4, avi, mkv, webm, gif, ...), "
            "folders of frame images, and strip images, in the folder itself or in one sub-folder per class."
            + (f" {refused[0].path}: {refused[0].reason}." if refused else "")
        )
    _check_depth(root, found)
    classes = sorted({video.parents[0] for video in found if video.parents})
    if len(classes) == 1:
        classes = []
    entries = [
        Entry(
            name=video.name,
            kind=video.kind,
            label=classes.index(video.parents[0]) if classes else None,
            files=video.files or (video.name,),
        )
        for video in sorted(found, key=lambda video: natural(video.name))
    ]
    return Layout(entries, classes, refused)


def _walk(root: Path, parts: tuple[str, ...], refused: list[Skipped]) -> list[_Folder]:
    folder, below = _Folder(parts), []
    try:
        with os.scandir(root.joinpath(*parts)) as listing:
            items = sorted(listing, key=lambda item: natural(item.name))
    except OSError as error:
        refused.append(Skipped("/".join(parts) or str(root), f"cannot be listed: {error.strerror}"))
        return []
    for item in items:
        suffix = os.path.splitext(item.name)[1].lower()
        if item.name.startswith(".") or item.name == "__MACOSX":
            continue
        if os.path.isdir(item.path):  # unlike the item's own method, no error for a link to itself
            if len(parts) < DEPTH:
                below += _walk(root, (*parts, item.name), refused)
        elif suffix in VIDEO_SUFFIXES:
            folder.videos.append(item.name)
        elif suffix in IMAGE_SUFFIXES:
            folder.images.append(item.name)
    return [folder, *below]


def _are_strips(root: Path, folders: list[_Folder]) -> bool:
    images = [root.joinpath(*f.parts, file) for f in folders if not f.videos for file in f.images]
    readable = strips = 0
    for path in images[:: max(1, -(-len(images) // SAMPLE))]:
        try:
            require_file(path)
            with Image.open(path) as image:
                strips += strip_frames(*image.size) is not None
                readable += 1
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
    return 2 * strips > readable or readable == 0


def _check_depth(root: Path, found: list[_Found]) -> None:
    by_depth = {len(video.parents): video.name for video in reversed(found)}
    if max(by_depth) > 1:
        deep = by_depth[max(by_depth)]
        raise ValueError(
            f"data.path: {deep} lies too deep in {root}. Videos lie in the folder itself or in one "
            f"sub-folder per class: point data.path at the right one, such as {root / deep.split('/')[0]}"
        )
    if len(by_depth) > 1:
        raise ValueError(
            f"data.path: {root} holds videos both directly ({by_depth[0]}) and in sub-folders "
            f"({by_depth[1]}): move them so that all have a class or none has"
        )
