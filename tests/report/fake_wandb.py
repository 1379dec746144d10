"""wandb.Api as far as vgen asks it, answering from the files that offline runs wrote.

Names, nesting and types are those of wandb.apis.public 0.31: nested configs without `_wandb`, history rows with media
as mappings and numbers that are not finite as words, a flat summary, files that download below a root.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import wandb_files as written


class FakeRun:
    def __init__(self, folder: Path) -> None:
        self.segments = written.segments(folder)
        started = written.of_kind(self.segments, "run")[0]
        self.folder, self.id, self.name = folder, started.run_id, started.display_name
        self.group, self.sweep_name, self.job_type = started.run_group, None, started.job_type
        self.state, self.commit = "finished", "0123456789abcdef"
        self.created_at, self.heartbeat_at = "2030-01-01T00:00:00Z", "2030-01-01T01:00:00Z"
        self.url = f"https://wandb.example/us/video/runs/{self.id}"
        self.config = {k: v for k, v in written.config(self.segments).items() if k != "_wandb"}
        self.summary_metrics = written.summary(self.segments)
        self.changes: dict[str, Any] = {}  # key -> value in the last row of the history
        self.asked: list[str] = []

    def scan_history(self) -> Iterator[dict[str, Any]]:
        self.asked.append("history")
        rows = [_nested(row) for row in written.history(self.segments).values()]
        rows[-1] |= self.changes
        return iter(rows)

    def file(self, name: str) -> Any:
        self.asked.append(name)
        (source,) = self.folder.glob(f"wandb/offline-run-*/files/{name}")

        def download(root: str = ".", replace: bool = False) -> Any:
            target = Path(root) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            return open(target)

        return SimpleNamespace(name=name, download=download)

    def logged_artifacts(self) -> list[Any]:
        return [
            SimpleNamespace(type=artifact.type, metadata=json.loads(artifact.metadata or "{}"))
            for artifact in written.artifacts(self.segments)
        ]


class FakeApi:
    """`wandb.Api`; calls are counted by the runs, `filters` are those of the last question."""

    def __init__(self, runs: list[FakeRun]) -> None:
        self.found, self.filters = runs, {}

    def __call__(self, timeout: float) -> "FakeApi":
        return self

    def runs(self, path: str, filters: dict[str, Any], lazy: bool) -> Iterator[FakeRun]:
        self.filters = filters
        for run in self.found:
            if all(getattr(run, {"sweep": "sweep_name"}.get(key, key)) == v for key, v in filters.items()):
                yield run


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """ "samples/path" is what a record's nested key ["samples", "path"] was joined to."""
    nested: dict[str, Any] = {}
    for key, value in sorted(row.items(), reverse=True):  # W&B keeps no order of keys
        if key.startswith("samples/"):
            nested.setdefault("samples", {})[key.removeprefix("samples/")] = value
        else:
            nested[key] = str(value) if isinstance(value, float) and not math.isfinite(value) else value
    return nested
