"""Pictures and videos that a generator is asked to continue."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vgen.data.entry import Entry, natural
from vgen.data.one_video import entry_of, is_picture, is_video, one_entry, pictures_in, read_blocks
from vgen.data.resize import Resample, Resize, to_square


class Beginnings:
    """The first `frames` frames of a picture, a video, or of each of them in a folder: a `ClipSet`
    (vgen.protocol.contract).

    A video is what `one_entry` takes for one. A folder may hold pictures, video files and folders of frames. Where more
    than one frame is wanted, its pictures are the frames of one video.

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
        if frames == 1 and is_picture(path):  # whatever its shape, no strip
            return path.parent, [entry_of(path.name)]
        root, entry = one_entry(path)
        return root, [entry]
    pictures = pictures_in(path)
    one = bool(pictures) and frames > 1
    found = [entry_of(*pictures, name=path.name)] if one else [entry_of(name) for name in pictures]
    for item in sorted(path.iterdir(), key=lambda item: natural(item.name)):
        if item.is_dir() and item.name[0] != ".":
            shots = pictures_in(item)
            if shots:
                found.append(entry_of(*(f"{item.name}/{shot}" for shot in shots), name=item.name))
        elif is_video(item):
            found.append(entry_of(item.name))
    return path, found


def _first(root: Path, entry: Entry, frames: int, stride: int) -> np.ndarray:
    """(frames, H, W, 3) uint8."""
    kept: list[np.ndarray] = []
    number = 0
    for block in read_blocks(root, entry):
        for frame in block.pixels:
            if number % stride == 0:
                kept.append(frame)
            if len(kept) == frames:
                return _stacked(kept, root / entry.name)
            number += 1
    raise ValueError(
        f"{root / entry.name}: {number} frame{'s' * (number != 1)}, but the generator is given {frames}, {stride} apart"
    )


def _stacked(frames: list[np.ndarray], file: Path) -> np.ndarray:
    try:
        return np.stack(frames)
    except ValueError as error:
        raise ValueError(f"{file}: its frames differ in size") from error
