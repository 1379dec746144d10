"""Where packed clips lie, and the one way to them: three questions to a folder, wherever it is."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from vgen.data.remote import read_json

INDEX = "dataset.json"


def read_index(folder: str) -> Any:
    """What `dataset.json` in `folder` says.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no JSON.
    """
    if is_remote(folder):
        return read_json(f"{folder}/{INDEX}")
    return json.loads((Path(folder) / INDEX).read_text(encoding="utf-8"))


def is_remote(folder: str) -> bool:
    """Whether it is an address (s3://bucket/folder) and no path."""
    return "://" in folder


def absolute(path: str | Path) -> str:
    """A path that means the same from every folder; an address stays what it is, and file:// becomes a path."""
    text = str(path).removeprefix("file://")
    return text.rstrip("/") if is_remote(text) else str(Path(text).expanduser().absolute())


def shard_bytes(folder: str, file: str) -> int:
    """Size of a shard as it lies there. Raises FileNotFoundError if it does not."""
    return (Path(folder) / file).stat().st_size


def open_shard(folder: str, file: str) -> np.ndarray:
    """The frames (n, H, W, C) of a shard; what is read of them is what is indexed.

    Raises:
        ValueError: it is no array of uint8.
    """
    frames = np.load(Path(folder) / file, mmap_mode="r", allow_pickle=False)
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 4:
        raise ValueError(f"{file} holds no frames of uint8")
    return frames.view(np.ndarray)
