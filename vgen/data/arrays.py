"""Videos in arrays: .npy stacks (Moving MNIST) and HDF5 files (TGAN)."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vgen.data.entry import Block, Entry, Part, Probe, Unreadable, reason, require_file, untimed

HDF5 = (".h5", ".hdf5")
ARRAY_SUFFIXES = (".npy", *HDF5)
BLOCK = 4 << 20  # bytes of the frames that are handed on together
CLEAR = 8  # of a set of grey videos, videos and frames are told apart if there are 8 times as many of one
MOST = 10_000_000  # videos of one file; a header that declares more is not believed


@dataclass(frozen=True)
class Stored:
    """An array in a file; `dataset` is its name in HDF5, "" in .npy."""

    dataset: str
    shape: tuple[int, ...]
    dtype: str


def list_arrays(file: Path) -> list[Stored]:
    """The arrays in a .npy or HDF5 file, by name.

    Raises:
        Unreadable: it is neither, damaged, or h5py is missing.
        OSError: it cannot be opened.
    """
    with _opened(file) as arrays:
        return [Stored(name, tuple(array.shape), str(array.dtype)) for name, array in sorted(arrays.items())]


def videos_of(file: Path, array: Stored, axes: str = "auto") -> Iterator[tuple[str, Part, str | None]]:
    """The videos of an array: what is added to the file's name, where they are, and their class.

    Of (T, C, H, W) frames in NAME.h5 with TGAN2's NAME.json beside it ([{"start", "end", "category"}, ...]), each
    range is a video; else an array without N is one.

    Raises:
        Unreadable: no videos are in it, or its axes are not clear.
    """
    letters = axes_of(array, axes)
    shown = f"/{array.dataset}" if array.dataset else ""
    size = dict(zip(letters, array.shape, strict=True))
    if "N" in letters:
        if size["N"] > MOST:
            raise Unreadable(f"{array.dtype} of shape {array.shape} declares {size['N']:,} videos")
        yield from ((f"{shown}[{i}]", Part(array.dataset, letters, i, i + 1), None) for i in range(size["N"]))
        return
    ranges = _ranges(file.with_suffix(".json")) if file.suffix.lower() in HDF5 else []
    for i, (start, stop, label) in enumerate(ranges):
        if not 0 <= start < stop <= size["T"]:
            raise Unreadable(f"{file.stem}.json: frames {start} to {stop} of {size['T']}")
        yield f"{shown}[{i}]", Part(array.dataset, letters, start, stop), label
    if not ranges:
        yield shown, Part(array.dataset, letters, 0, size["T"]), None


def axes_of(array: Stored, axes: str = "auto") -> str:
    """The letters of an array's axes, such as "TNHW" of Moving MNIST, "TCHW" of TGAN.

    By itself it tells NTHWC, NTCHW, NCTHW, THWC, TCHW and THW, C being 1 or 3; of four axes without colours, the
    videos are the first or the second axis, whichever is at least 8 times as long as the other.

    Raises:
        Unreadable: the array is no video, or `axes` does not fit it.
    """
    shape, what = array.shape, f"{array.dtype} of shape {array.shape}"
    if array.dtype != "uint8":
        raise Unreadable(f"{what}; expected uint8")
    if 0 in shape:
        raise Unreadable(f"{what} is empty")
    if axes != "auto":
        letters = set(axes)
        if not len(axes) == len(letters) == len(shape) or letters - set("NTCHW") or not set("THW") <= letters:
            raise Unreadable(
                f"{what} is not data.axes={axes}: one of N T C H W for each axis, T H W among them"
            )
        if "C" in axes and shape[axes.index("C")] not in (1, 3):
            raise Unreadable(f"{what} is not data.axes={axes}: C is 1 or 3")
        return axes
    colours = [i for i, length in enumerate(shape) if length in (1, 3)]
    match len(shape):
        case 3:
            return "THW"
        case 4 if 3 in colours:
            return "THWC"
        case 4 if 1 in colours:
            return "TCHW"
        case 4 if shape[1] >= CLEAR * shape[0]:
            return "TNHW"
        case 4 if shape[0] >= CLEAR * shape[1]:
            return "NTHW"
        case 5 if 4 in colours:
            return "NTHWC"
        case 5 if 2 in colours:
            return "NTCHW"
        case 5 if 1 in colours:
            return "NCTHW"
    raise Unreadable(f"{what}: its axes are not clear; say data.axes=TNHW, NTHW, NTHWC, TCHW, ...")


def probe(file: Path, entry: Entry) -> Probe:
    """What the array's header says of one video."""
    part = _part(entry)
    with _opened(file) as arrays:
        size = dict(zip(part.axes, _array(arrays, part).shape, strict=True))
    frames = size["T"] if "N" in part.axes else part.stop - part.start
    return Probe(frames, None, (size["W"], size["H"]), False)


def decode(file: Path, entry: Entry) -> Generator[Block, None, None]:
    """The frames of one video of an array file; grey becomes RGB by repetition."""
    part = _part(entry)
    with _opened(file) as arrays, _explained():
        array = _array(arrays, part)
        size = dict(zip(part.axes, array.shape, strict=True))
        first, last = (0, size["T"]) if "N" in part.axes else (part.start, part.stop)
        step = max(1, BLOCK // (3 * size["H"] * size["W"]))
        for start in range(first, last, step):
            cut = slice(start, min(start + step, last))
            place = tuple(
                part.start if axis == "N" else cut if axis == "T" else slice(None) for axis in part.axes
            )
            frames = np.asarray(array[place])
            left = part.axes.replace("N", "")
            frames = frames.transpose([left.index(axis) for axis in "THWC" if axis in left])
            if "C" not in left:
                frames = frames[..., None]
            yield untimed(np.array(np.broadcast_to(frames, (*frames.shape[:3], 3)), order="C"))


def _part(entry: Entry) -> Part:
    if entry.part is None:
        raise ValueError(f"{entry.name} is no part of an array")
    return entry.part


def _array(arrays: dict[str, Any], part: Part) -> Any:
    array = arrays.get(part.dataset)
    if array is None or len(array.shape) != len(part.axes):
        raise Unreadable("the file has changed")
    return array


@contextmanager
def _opened(file: Path) -> Iterator[dict[str, Any]]:
    """Name -> array, read when it is indexed."""
    require_file(file)
    if file.suffix.lower() not in HDF5:
        with _explained():
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.memmap):
            raise Unreadable("an archive of arrays; store each as .npy")
        declared, size = array.offset + array.nbytes, file.stat().st_size
        if declared != size:
            raise Unreadable(f"its header declares {declared:,} bytes, the file has {size:,}")
        yield {"": array}
        return
    try:
        import h5py
    except ImportError as error:
        raise Unreadable("HDF5 files need h5py: pip install 'vgen[hdf5]'") from error
    with _explained():
        opened = h5py.File(file, "r")
    with opened:
        arrays: dict[str, Any] = {}

        def collect(name: str, item: Any) -> None:
            # Arrays that lie in other files, by a link or as external storage, are not followed.
            if isinstance(item, h5py.Dataset) and not item.external and not item.is_virtual:
                arrays[name] = item

        with _explained():
            opened.visititems(collect)  # visits no soft or external links
        yield arrays


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (OSError, Unreadable):
        raise
    except Exception as error:  # numpy's and h5py's readers raise ValueError, TokenError, RuntimeError, ...
        raise Unreadable(reason(error)) from error


def _ranges(table: Path) -> list[tuple[int, int, str | None]]:
    if not table.is_file():
        return []
    try:
        rows = json.loads(table.read_bytes())
        return [
            (int(r["start"]), int(r["end"]), str(r["category"]) if "category" in r else None) for r in rows
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f'{table.name}: expected [{{"start", "end", "category"}}, ...]') from error
