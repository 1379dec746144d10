"""What W&B wrote offline (`offline-run-*/run-*.wandb`) -> run folders in a cache, without any server.

A .wandb file is a log in LevelDB's format (github.com/google/leveldb, doc/log_format.md) after a header of 7 bytes:
blocks of 32 KiB with fragments, each with a checksum (4 bytes), a length (2) and a kind (1); fragments join to records,
which are protocol buffers of wandb's own.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

from vgen.report.logged_run import LoggedRun, store_runs

_MAGIC, _HEADER = b":W&B", 7
_BLOCK, _FRAGMENT = 32768, 7
_WHOLE, _FIRST, _LAST = 1, 2, 4


def read_offline(
    folder: Path,
    cache: Path,
    *,
    group: str | None = None,
    sweep: str | None = None,
    names: Sequence[str] = (),
) -> list[Path]:
    """Folders, in `cache`, of the runs logged offline in and below `folder`; the choice as in `fetch_project`.

    Raises:
        FileNotFoundError: there are no such files.
        ValueError: nothing matches, a name is no run's, or a file is of another kind.
        ImportError: wandb is not installed.
    """
    starts: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("offline-run-*/run-*.wandb"), key=lambda file: file.parent.name):
        if file.stat().st_size:
            starts.setdefault(file.stem.removeprefix("run-"), []).append(file)
    if not starts:
        raise FileNotFoundError(f"wandb={folder}: no offline-run-*/run-*.wandb in or below it")
    found = [_OfflineRun(files) for files in starts.values()]
    unknown = [name for name in names if not any(name in run.names for run in found)]
    if unknown:
        there = ", ".join(sorted(run.names[0] for run in found)[:20])
        raise ValueError(f"wandb={folder}: no run is called {', '.join(unknown)}; there are {there}")
    chosen = [
        run
        for run in found
        if (not names or set(names) & set(run.names))
        and group in (None, run.group)
        and sweep in (None, run.sweep)
    ]
    if not chosen:
        raise ValueError(f"wandb={folder}: no run has group={group}, sweep={sweep}")
    return store_runs([run.logged() for run in chosen], cache / "offline")


class _OfflineRun:
    """The files of all starts of one run, oldest first."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []
        self.data: dict[str, Any] = {}
        self.name = self.group = self.sweep = self.started = ""
        self.id, self.exit_code = files[0].stem.removeprefix("run-"), None
        for file in files:
            for record in _records(file):
                self._take(record)

    def _take(self, record: Any) -> None:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            self.name, self.group, self.sweep = (
                record.run.display_name,
                record.run.run_group,
                record.run.sweep_id,
            )
            self.started = self.started or record.run.start_time.ToJsonString()
            self.exit_code = None  # it was started again
            _put(self.config, record.run.config.update)
        elif kind == "config":
            _put(self.config, record.config.update)
        elif kind == "summary":
            _put(self.summary, record.summary.update)
        elif kind == "history":
            row: dict[str, Any] = {}
            _put(row, record.history.item)
            self.rows.append(row)
        elif kind == "exit":
            self.exit_code = record.exit.exit_code
        elif kind in ("request", "artifact"):
            artifact = record.request.log_artifact.artifact if kind == "request" else record.artifact
            if artifact.type == "dataset":
                self.data = json.loads(artifact.metadata)

    @property
    def names(self) -> tuple[str, str]:
        return self.name or self.id, self.id

    def logged(self) -> LoggedRun:
        self.config.pop("_wandb", None)
        facts = {"started": self.started, "seed": self.config.get("seed")}
        if self.data:
            facts["data"] = self.data
        return LoggedRun(
            id=self.id,
            name=self.names[0],
            url="",
            state={None: "crashed", 0: "finished"}.get(self.exit_code, "failed"),
            version=" ".join(f"{file.parent.name}:{file.stat().st_size}" for file in self.files),
            facts=facts,
            config=self.config,
            summary=self.summary,
            history=lambda: self.rows,
            fetch=self._fetch,
        )

    def _fetch(self, name: str, target: Path) -> None:
        there = [
            file.parent / "files" / name for file in self.files if (file.parent / "files" / name).is_file()
        ]
        if not there:
            raise FileNotFoundError(f"{self.files[-1].parent}/files/{name} is missing; copy the folder whole")
        copyfile(there[-1], target)


def _records(file: Path) -> Iterator[Any]:
    """What is in one .wandb file; what a kill cut off at its end is left out."""
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    data = file.read_bytes()
    if not data.startswith(_MAGIC):
        raise ValueError(f"{file} is no file of W&B")
    at, pending = _HEADER, b""
    while at + _FRAGMENT <= len(data):
        room = _BLOCK - at % _BLOCK
        if room < _FRAGMENT:  # the rest of a block too small for a fragment is filled up
            at += room
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        at += _FRAGMENT
        part = data[at : at + length]
        at += length
        if not _WHOLE <= kind <= _LAST or len(part) < length:
            return
        pending = part if kind in (_WHOLE, _FIRST) else pending + part
        if kind in (_WHOLE, _LAST):
            yield Record.FromString(pending)


def _put(into: dict[str, Any], items: Iterable[Any]) -> None:
    """Set each item at its place; a place is a key or a path of keys."""
    for item in items:
        *above, last = list(item.nested_key) or [item.key]
        inner = into
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = json.loads(item.value_json)
