"""Pictures and videos that a generator is asked to continue."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vgen.data.decode import decode
from vgen.data.entry import Entry, Unreadable, natural
from vgen.data.layout import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from vgen.data.resize import Resample, Resize, to_square


class Beginnings:
    """The first `frames` frames of a picture, a video, or of each of them in a folder: a `ClipSet`
    (vgen.protocol.contract).

    A folder may hold pictures, videos and folders of frames. Where more than one frame is wanted, its pictures are
    the frames of one video.

    Args:
        path: file or folder.
        frames: of each.
        stride: frames of the video between two of them.
        size: their height and width in pixels.
        channels, resize, resample: as in `vgen.data.videos.Videos`.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: nothing that can be continued, a damaged file, or one of too few frames.
    """

    labels: Tensor | None = None

    def __init__(
        self,
        path: str,
        *,
        frames: int,
        size: int,
        channels: int = 3,
        stride: int = 1,
        resize: Resize = "crop",
        resample: Resample = "bicubic",
    ) -> None:
        where = Path(path).expanduser()
        if not where.exists():
            raise FileNotFoundError(f"there is no {where}")
        root, entries = _entries(where, frames)
        if not entries:
            raise ValueError(f"{where} holds no picture and no video")
        self.names = [entry.name for entry in entries]
        read = [_first(root, entry, frames, stride) for entry in entries]
        self._pixels = torch.stack(
            [
                torch.from_numpy(
                    to_square(pixels, size=size, channels=channels, resize=resize, resample=resample)
                )
                for pixels in read
            ]
        )
        self.info: dict[str, Any] = {"source": str(where)}

    @property
    def identity(self) -> dict[str, Any]:
        content = hashlib.blake2b(self._pixels.numpy().tobytes(), digest_size=8).hexdigest()
        return {"kind": "beginnings", "pixels": content}

    def __len__(self) -> int:
        return len(self.names)

    def read(self, indices: Sequence[int]) -> Tensor:
        """Beginnings number `indices`: (b, frames, H, W, C) uint8."""
        return self._pixels[list(indices)]


def _entries(path: Path, frames: int) -> tuple[Path, list[Entry]]:
    """The folder that names count from, and what is in it."""
    if path.is_file():
        return path.parent, [_of_files(path.name)]
    inside = sorted(
        (item for item in path.iterdir() if item.name[0] != "."), key=lambda item: natural(item.name)
    )
    pictures = [item.name for item in inside if _is_picture(item)]
    found = [] if frames > 1 or not pictures else [_of_files(name) for name in pictures]
    if frames > 1 and pictures:
        found.append(_of_files(*pictures, name=path.name))
    for item in inside:
        if item.is_dir():
            shots = sorted((shot.name for shot in item.iterdir() if _is_picture(shot)), key=natural)
            if shots:
                found.append(_of_files(*(f"{item.name}/{shot}" for shot in shots), name=item.name))
        elif item.suffix.lower() in VIDEO_SUFFIXES:
            found.append(_of_files(item.name))
    return path, found


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES


def _of_files(*files: str, name: str | None = None) -> Entry:
    pictures = Path(files[0]).suffix.lower() in IMAGE_SUFFIXES
    return Entry(name or files[0], "frame folder" if pictures else "video file", None, files)


def _first(root: Path, entry: Entry, frames: int, stride: int) -> np.ndarray:
    """(frames, H, W, 3) uint8."""
    kept: list[np.ndarray] = []
    number = 0
    try:
        with closing(decode(root, entry)) as blocks:
            for block in blocks:
                for frame in block.pixels:
                    if number % stride == 0:
                        kept.append(frame)
                    if len(kept) == frames:
                        return np.stack(kept)
                    number += 1
    except (Unreadable, OSError) as error:
        raise ValueError(f"{root / entry.name}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{root / entry.name}: its frames differ in size") from error
    raise ValueError(
        f"{root / entry.name}: {number} frame{'s' * (number != 1)}, but the generator is given {frames}, {stride} apart"
    )
