"""One video of the user's, read whole."""

from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from vgen.data.arrays import ARRAY_SUFFIXES
from vgen.data.decode import decode
from vgen.data.entry import Entry, Unreadable, natural, strip_frames
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
    root, entry = _entry(where)
    pixels, times = [], []
    try:
        with closing(decode(root, entry)) as blocks:
            for block in blocks:
                pixels.append(
                    to_square(block.pixels, size=size, channels=channels, resize=resize, resample=resample)
                )
                times.append(block.times)
    except (Unreadable, OSError) as error:
        raise ValueError(f"{where}: {error}") from error
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


def _entry(path: Path) -> tuple[Path, Entry]:
    """The folder that names count from, and the one video in it."""
    suffix = path.suffix.lower()
    if path.is_file() and suffix in VIDEO_SUFFIXES:
        return path.parent, Entry(path.name, "video file", None, (path.name,))
    if path.is_file() and suffix in IMAGE_SUFFIXES:
        try:
            with Image.open(path) as image:
                strip = strip_frames(*image.size) is not None
        except (UnidentifiedImageError, OSError) as error:
            raise ValueError(f"{path}: {error}") from error
        return path.parent, Entry(path.name, "strip image" if strip else "frame folder", None, (path.name,))
    if path.is_dir():
        inside = [item for item in path.iterdir() if item.is_file() and item.name[0] != "."]
        shots = sorted((item.name for item in inside if item.suffix.lower() in IMAGE_SUFFIXES), key=natural)
        if shots and not any(item.suffix.lower() in VIDEO_SUFFIXES for item in inside):
            return path, Entry(path.name, "frame folder", None, tuple(shots))
    elif suffix not in ARRAY_SUFFIXES:
        raise ValueError(f"{path} is no video: a video file, a strip image, a folder of frames or an array")
    found = scan(path)
    if len(found.entries) != 1:
        raise ValueError(f"{path} holds {len(found.entries)} videos: name one of them")
    return found.top, found.entries[0]
