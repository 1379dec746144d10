"""Clips as arrays in .npy files: the exchange format that loses nothing."""

import hashlib
import json
from bisect import bisect_right
from pathlib import Path

import numpy as np

from vgen.data.layout import VIDEO_SUFFIXES, natural
from vgen.data.resize import Resample, Resize, to_channels, to_square
from vgen.data.source import Skipped

EXPECTED = "expected uint8 of shape (N, T, H, W, C), or (T, H, W, C) for one video, with C 1 or 3"


class Stacks:
    """Videos in a .npy file, or in a folder of them, read from memory maps; each file holds one video or several.

    Files of (N, T, H, W, C) or (T, H, W, C) uint8, C 1 or 3. Lengths may differ between files; frame sizes may not,
    unless `size` resizes them. A file that is none of this, and a video
    file beside arrays, is skipped and listed. There are no classes.

    Args:
        path: the file, or the folder.
        size, channels, resize, resample: as of `vgen.data.videos.Videos`; grey becomes RGB by repetition.

    Raises:
        FileNotFoundError: nothing at `path`.
        ValueError: in `setup`, no usable file.
    """

    classes: list[str] = []  # noqa: RUF012 - never changed
    fps: float | None = None
    lossy: bool | None = False

    def __init__(
        self,
        *,
        path: str,
        size: int | None = None,
        channels: int = 3,
        resize: Resize = "crop",
        resample: Resample = "bicubic",
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self.size, self.channels = size, channels
        self.resize: Resize = resize
        self.resample: Resample = resample
        self.name = self.path.name
        self.skipped: list[Skipped] = []
        self.names: list[str] = []
        self.rates: list[float | None] = []
        self._arrays: list[np.ndarray] = []
        self._first: list[int] = []
        self._fingerprint = ""

    def prepare(self) -> None:
        """Nothing to do: arrays are read where they lie."""

    def setup(self) -> None:
        if not self.path.exists():
            raise FileNotFoundError(f"there is no file or folder {self.path}")
        if self._arrays:
            return
        files = [self.path]
        if self.path.is_dir():
            files = sorted(self.path.glob("*.npy"), key=lambda file: natural(file.name))
        for file in files:
            array = self._open(file)
            if isinstance(array, str):
                self.skipped.append(Skipped(file.name, array))
                continue
            self._first.append(len(self.names))
            self._arrays.append(array)
            self.names += [file.name] if len(array) == 1 else [f"{file.name}[{i}]" for i in range(len(array))]
        if self.path.is_dir():
            videos = sorted(f.name for f in self.path.iterdir() if f.suffix.lower() in VIDEO_SUFFIXES)
            self.skipped += [Skipped(name, "lies in a folder of arrays; keep them apart") for name in videos]
        if not self._arrays:
            reason = f": {self.skipped[0].path}: {self.skipped[0].reason}" if self.skipped else ""
            raise ValueError(f"no usable array in {self.path}{reason}")
        self.rates = [None] * len(self.names)
        self._fingerprint = self._digest()

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def stored_sizes(self) -> str:
        """Width and height before resizing, of all: "64x64"."""
        return ", ".join(sorted({f"{array.shape[3]}x{array.shape[2]}" for array in self._arrays}))

    def describe(self) -> str:
        """What was found, in one line: "64 videos in 1 array"."""
        files = len(self._arrays)
        return f"{len(self.names):,} videos in {files:,} array{'s' * (files != 1)}"

    def __len__(self) -> int:
        return len(self.names)

    def length(self, i: int) -> int:
        return self._video(i).shape[0]

    def label(self, i: int) -> None:
        return None

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        video, indices = self._video(i), np.asarray(indices)
        if indices.size and (indices.min() < 0 or indices.max() >= len(video)):
            raise IndexError(
                f"frames {indices.min()}..{indices.max()} of {self.names[i]}, which has {len(video)}"
            )
        frames = np.array(video[indices])
        if frames.shape[3] == 1 and self.channels == 1 and self.size is None:
            return frames
        if frames.shape[3] == 1:
            frames = frames.repeat(3, axis=3)
        if self.size is None:
            return to_channels(frames, self.channels)
        return to_square(
            frames, size=self.size, channels=self.channels, resize=self.resize, resample=self.resample
        )

    def _video(self, i: int) -> np.ndarray:
        if not 0 <= i < len(self.names):
            raise IndexError(f"video {i} of {len(self.names)}")
        file = bisect_right(self._first, i) - 1
        return self._arrays[file][i - self._first[file]]

    def _open(self, file: Path) -> np.ndarray | str:
        """The videos (N, T, H, W, C) of a file, mapped; or why there are none."""
        try:
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        except (
            Exception
        ) as error:  # of a damaged header numpy raises ValueError, SyntaxError, TokenError, ...
            return " ".join(str(error).split()) or type(error).__name__
        if not isinstance(array, np.ndarray):
            return f"an archive of arrays; {EXPECTED}"
        shape = f"{array.dtype} of shape {array.shape}"
        if array.dtype != np.uint8 or array.ndim not in (4, 5) or array.shape[-1] not in (1, 3):
            return f"{shape}; {EXPECTED}"
        if array.ndim == 4:
            array = array[None]
        if 0 in array.shape:
            return f"{shape} is empty"
        first = self._arrays[0].shape[2:4] if self._arrays else array.shape[2:4]
        if self.size is None and array.shape[2:4] != first:
            sizes = [f"{width}x{height}" for height, width in (array.shape[2:4], first)]
            return f"frames of {sizes[0]} pixels, and those before have {sizes[1]}"
        return array.view(np.ndarray)

    def _digest(self) -> str:
        settings = json.dumps([self.size, self.channels, self.resize, self.resample])
        digest = hashlib.blake2b(settings.encode(), digest_size=8)
        for array in self._arrays:
            digest.update(json.dumps(array.shape).encode())
            for video in array:
                digest.update(np.ascontiguousarray(video).data)
        return digest.hexdigest()
