"""Videos in TensorFlow's record files -> arrays in .npy, which `data=videos` reads; without TensorFlow.

A record file is a row of (length uint64, checksum of the length, data, checksum of the data); data is a
tf.train.Example, a protocol buffer: map of feature name -> list of bytes, floats or integers.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vgen.dataset.recipe import Records
from vgen.files import replacing

LARGEST = 1 << 30  # bytes of a record; a longer one is damage


def is_record_file(path: Path) -> bool:
    return path.suffix in (".tfrecord", ".tfrecords")


def write_arrays(records: Records, source: Path, target: Path) -> Path:
    """One array (N, T, H, W, C) for each record file in `source`, at the same place in `target`; `target`.

    A file that is there already is kept: they appear whole.

    Raises:
        ValueError: a record is damaged, or has no frames of that shape.
    """
    files = sorted(filter(is_record_file, source.rglob("*")))
    for file in tqdm(files, desc="Converting", unit="file", disable=None):
        array = target / file.relative_to(source).with_suffix(".npy")
        if not array.exists():
            try:
                videos = np.stack([_video(example, records) for example in read_records(file)])
            except (ValueError, IndexError, struct.error) as error:
                raise ValueError(f"{file}: {error}") from error
            with replacing(array) as partial, open(partial, "wb") as out:
                np.save(out, videos)
    return target


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a file. ValueError if it is cut off."""
    with open(path, "rb") as file:
        while head := file.read(12):
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else LARGEST + 1
            data = file.read(length + 4) if length <= LARGEST else b""
            if len(data) != length + 4:
                raise ValueError("a record is damaged or cut off")
            yield data[:-4]


def read_example(data: bytes) -> dict[str, bytes]:
    """The features of a tf.train.Example that are bytes."""
    features: dict[str, bytes] = {}
    for message in _fields(data, 1):  # Example.features
        for entry in _fields(message, 1):  # Features.feature
            name = next(_fields(entry, 1))
            for feature in _fields(entry, 2):
                for values in _fields(feature, 1):  # bytes_list
                    for value in _fields(values, 1):
                        features[bytes(name).decode()] = bytes(value)
    return features


def _video(data: bytes, records: Records) -> np.ndarray:
    """(T, H, W, C)."""
    features = read_example(data)
    frames = []
    while (raw := features.get(records.frame.format(frame=len(frames)))) is not None:
        frames.append(np.frombuffer(raw, np.uint8).reshape(records.shape))
    if not frames:
        raise ValueError(
            f"no feature {records.frame.format(frame=0)}; there are {', '.join(sorted(features)[:5])}"
        )
    return np.stack(frames)


def _fields(message: bytes | memoryview, wanted: int) -> Iterator[memoryview]:
    """The length-delimited fields number `wanted` of a protocol buffer."""
    view, at = memoryview(message), 0
    while at < len(view):
        tag, at = _varint(view, at)
        number, kind = tag >> 3, tag & 7
        if kind == 2:
            size, at = _varint(view, at)
            if at + size > len(view):
                raise ValueError("a record is damaged")
            if number == wanted:
                yield view[at : at + size]
            at += size
        elif kind == 0:
            _, at = _varint(view, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("a record is damaged")


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a record is damaged")
