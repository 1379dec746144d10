"""Pictures that hold a frame or a strip of frames, read by Pillow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

import numpy as np
from PIL import Image

from vgen.data.archive import open_file
from vgen.data.entry import Entry, Probe, Unreadable, strip_frames
from vgen.data.whole import check_png

LOSSY_IMAGES, EXACT_IMAGES = (".jpg", ".jpeg", ".gif"), (".png", ".bmp", ".ppm", ".pgm")


def read_picture(root: Path, archive: str, name: str) -> np.ndarray:
    """(H, W, 3) uint8. Raises Unreadable."""
    with _picture(root, archive, name) as image:
        if image.mode.startswith("I"):  # 16 bits; Pillow would clip at 255
            grey = (np.asarray(image, dtype=np.int64).clip(0, 65535) // 257).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, axis=2)
        return np.array(image.convert("RGB"))


def read_strip(root: Path, archive: str, name: str) -> np.ndarray:
    """(n, side, side, 3) uint8: the frames of a strip, side by side or one below the other. Raises Unreadable."""
    pixels = read_picture(root, archive, name)
    height, width, channels = pixels.shape
    count = strip_frames(width, height)
    if count is None:
        raise Unreadable(f"{width}x{height} pixels are no strip of at least 4 square frames")
    if height > width:
        return pixels.reshape(count, width, width, channels)
    return np.ascontiguousarray(pixels.reshape(height, count, height, channels).swapaxes(0, 1))


def probe(root: Path, entry: Entry) -> Probe:
    """What the first picture's header says. Raises Unreadable."""
    name = entry.files[0]
    suffix = PurePath(name).suffix.lower()
    lossy = {**dict.fromkeys(LOSSY_IMAGES, True), **dict.fromkeys(EXACT_IMAGES, False)}.get(suffix)
    with _picture(root, entry.archive, name, whole=False) as image:
        if entry.kind == "frame folder":
            return Probe(len(entry.files), None, image.size, lossy)
        side = min(image.size)
        return Probe(strip_frames(*image.size), None, (side, side), lossy)


@contextmanager
def _picture(root: Path, archive: str, name: str, whole: bool = True) -> Iterator[Image.Image]:
    try:
        with open_file(root, archive, name) as opened:
            if whole:
                check_png(opened)
            with Image.open(opened) as image:
                yield image
    except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, struct.error, ...
        why = (
            getattr(error, "strerror", None)
            or str(error).split(" <")[0].split(" '")[0]
            or type(error).__name__
        )
        raise Unreadable(f"{PurePath(name).name}: {why}") from error
