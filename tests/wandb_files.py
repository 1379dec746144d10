"""Reads back what wandb wrote offline: LevelDB's log format around wandb's own protocol buffers."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

BLOCK = 32768
FILE_HEADER = 7  # ":W&B", a magic number and a version
RECORD_HEADER = 7  # checksum (4), length (2), kind (1)
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(file: Path) -> Iterator[Record]:
    """The records of one .wandb file; what a kill cut off at its end is left out."""
    data = file.read_bytes()
    assert data[:4] == b":W&B", file
    at, pending = FILE_HEADER, b""
    while at + RECORD_HEADER <= len(data):
        left = BLOCK - at % BLOCK
        if left < RECORD_HEADER:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        part = data[at + RECORD_HEADER : at + RECORD_HEADER + length]
        if kind not in (WHOLE, FIRST, MIDDLE, LAST) or len(part) < length:
            return
        pending = part if kind in (WHOLE, FIRST) else pending + part
        if kind in (WHOLE, LAST):
            record = Record()
            record.ParseFromString(pending)
            yield record
        at += RECORD_HEADER + length


def segments(run: Path) -> list[list[Record]]:
    """The records of every start of a run, oldest first."""
    files = sorted((run / "wandb").glob("offline-run-*/*.wandb"))
    return [list(records(file)) for file in files if file.stat().st_size]


def history(found: list[list[Record]]) -> dict[float, dict[str, Any]]:
    """kclips -> what was logged there; where a continued run repeated a step, its values win."""
    rows: dict[float, dict[str, Any]] = {}
    for segment in found:
        for record in segment:
            if record.WhichOneof("record_type") == "history":
                row = _items(record.history.item)
                rows.setdefault(row["kclips"], {}).update(row)
    return rows


def summary(found: list[list[Record]]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for segment in found:
        for record in segment:
            if record.WhichOneof("record_type") == "summary":
                kept.update(_items(record.summary.update))
    return kept


def config(found: list[list[Record]]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for segment in found:
        for record in segment:
            kind = record.WhichOneof("record_type")
            if kind == "run":
                kept.update(_items(record.run.config.update))
            elif kind == "config":
                kept.update(_items(record.config.update))
    return kept


def of_kind(found: list[list[Record]], kind: str) -> list[Any]:
    return [
        getattr(record, kind)
        for segment in found
        for record in segment
        if record.WhichOneof("record_type") == kind
    ]


def artifacts(found: list[list[Record]]) -> list[Any]:
    """Artifacts that were logged or used, in order."""
    return [request.log_artifact.artifact for request in of_kind(found, "request")] + of_kind(
        found, "artifact"
    )


def _items(items: Any) -> dict[str, Any]:
    return {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
