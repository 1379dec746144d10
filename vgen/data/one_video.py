"""One video of the user's: found, and read."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from vgen.data.arrays import ARRAY_SUFFIXES
from vgen.data.decode import decode
from vgen.data.entry import Block, Entry, Unreadable, natural, strip_frames
from vgen.data.layout import IMAGE_SUFFIXES, VIDEO_SUFFIXES, scan
from vgen.data.resize import Resample, Resize, to_square
from vgen.data.retime import frames_at


def read_one_video(
    path: str,
    *,
    size: int,
    channels: int = 3,
    resize: Resize = "crop",
    resample: Resample = "bicubic",
    fps: float | None = None,
    stored_fps: float | None = None,
) -> np.ndarray:
    """The frames (n, size, size, channels) uint8 of a video file, a strip image, a folder of frames, or an array.

    Args:
        size, channels, resize, resample: as in `vgen.data.videos.Videos`.
        fps: frames per second that are wanted, nearest in time; None: every frame.
        stored_fps: frames per second of a strip, of a folder of frames or of an array, which do not say it.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: no video, more than one, a damaged one, or one that says no time where `fps` asks for it.
    """
    where = Path(path).expanduser()
    if not where.exists():
        raise FileNotFoundError(f"there is no {where}")
    root, entry = one_entry(where)
    pixels, times = [], []
    for block in read_blocks(root, entry):
        pixels.append(to_square(block.pixels, size=size, channels=channels, resize=resize, resample=resample))
        times.append(block.times)
    frames, shown = np.concatenate(pixels), np.concatenate(times)
    if fps is None:
        return frames
    if not np.isfinite(shown).all():
        if stored_fps is None:
            raise ValueError(
                f"{where}: its frames say no time, but the model has {fps:g} of them a second; say how many this "
                "video has: stored_fps=..."
            )
        shown = np.arange(len(frames)) / stored_fps
    return frames[frames_at(shown, fps)]


def read_blocks(root: Path, entry: Entry) -> Iterator[Block]:
    """The frames of an entry, block after block; ValueError, with the file, for a damaged one."""
    try:
        with closing(decode(root, entry)) as blocks:
            yield from blocks
    except (Unreadable, OSError) as error:
        raise ValueError(f"{root / entry.name}: {error}") from error


def one_entry(path: Path) -> tuple[Path, Entry]:
    """The folder that names count from, and the one video that `path` is: a video file, a strip image, an array, or a
    folder of frames or of one of these.

    Raises:
        ValueError: no video, more than one, or a picture that cannot be read.
    """
    suffix = path.suffix.lower()
    if path.is_file() and suffix in VIDEO_SUFFIXES:
        return path.parent, entry_of(path.name)
    if path.is_file() and suffix in IMAGE_SUFFIXES:
        try:
            with Image.open(path) as image:
                strip = strip_frames(*image.size) is not None
        except (UnidentifiedImageError, OSError) as error:
            raise ValueError(f"{path}: {error}") from error
        return path.parent, Entry(path.name, "strip image", None, (path.name,)) if strip else entry_of(
            path.name
        )
    if path.is_dir():
        shots = pictures_in(path)
        if shots and not any(item.is_file() and is_video(item) for item in path.iterdir()):
            return path, entry_of(*shots, name=path.name)
    elif suffix not in ARRAY_SUFFIXES:
        raise ValueError(f"{path} is no video: a video file, a strip image, a folder of frames or an array")
    found = scan(path)
    if len(found.entries) != 1:
        raise ValueError(f"{path} holds {len(found.entries)} videos: name one of them")
    return found.top, found.entries[0]


def entry_of(*files: str, name: str | None = None) -> Entry:
    """A video file, or pictures that are the frames of one video."""
    pictures = Path(files[0]).suffix.lower() in IMAGE_SUFFIXES
    return Entry(name or files[0], "frame folder" if pictures else "video file", None, files)


def is_picture(path: Path) -> bool:
    """Whether `path` is a picture by name, and not hidden."""
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."


def is_video(path: Path) -> bool:
    """Whether `path` is a video by name, and not hidden."""
    return path.suffix.lower() in VIDEO_SUFFIXES and path.name[0] != "."


def pictures_in(folder: Path) -> list[str]:
    """Names of the pictures in a folder, in natural order."""
    return sorted((item.name for item in folder.iterdir() if is_picture(item)), key=natural)
