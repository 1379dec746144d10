"""A run as W&B knows it -> a run folder in a cache, which is then read like any other."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vgen.files import replacing
from vgen.metric.names import HIGHER_IS_BETTER

VIDEO = "video-file"  # `_type` of a video in the history
SAMPLES = "samples"  # its key, as vgen.callback.samples logs it
_AXES = ("kclips", "iteration")
_CLOCKS = {"trainer/global_step"}  # Lightning's, which metrics.csv does not have


@dataclass(frozen=True)
class LoggedRun:
    """What was logged of one run.

    Attributes:
        id, name, url: as W&B has them.
        state: "finished", "running", "crashed", "failed" or "killed".
        version: changes whenever more was logged.
        facts: what provenance.json has besides: commit, command, data, start.
        config: nested, as vgen logged it.
        summary: last values, and the protocol of each online metric under `protocol/<metric>`.
        history: what was logged, in order; media are mappings.
        fetch: writes the media file with this path in W&B to the given place.
    """

    id: str
    name: str
    url: str
    state: str
    version: str
    facts: dict[str, Any]
    config: dict[str, Any]
    summary: dict[str, Any]
    history: Callable[[], Iterable[dict[str, Any]]]
    fetch: Callable[[str, Path], None]


def store_runs(runs: Iterable[LoggedRun], cache: Path) -> list[Path]:
    """A folder for each run in `cache`: config.yaml, metrics.csv, provenance.json and samples/<kclips>.mp4.

    Of the samples come those at a moment that is the last of some run, which is what walls show. What is there from
    an earlier call and has not changed since is not asked for again.
    """
    stored = [(run, _store(run, cache / _folder_name(run))) for run in runs]
    ends = {max(samples) for _, (_, samples) in stored if samples}
    for run, (folder, samples) in stored:
        for moment in sorted(ends & samples.keys()):
            file = folder / SAMPLES / f"{moment}.mp4"
            if not file.exists():
                with replacing(file) as partial:
                    run.fetch(samples[moment], partial)
    return [folder for _, (folder, _) in stored]


def _store(run: LoggedRun, folder: Path) -> tuple[Path, dict[str, str]]:
    """The folder, and path in W&B of each sample by its moment."""
    record = folder / "provenance.json"
    if record.is_file():
        known = json.loads(record.read_text(encoding="utf-8"))["wandb"]
        if known["version"] == run.version and run.state != "running":
            return folder, known["samples"]
    table, samples = _split(list(run.history()))
    _write(folder / "config.yaml", yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True))
    _write(folder / "metrics.csv", table)
    origin = {"url": run.url, "id": run.id, "version": run.version, "samples": samples}
    provenance = run.facts | {"wandb": origin, "online_protocol": _protocols(run.summary)}
    if run.state == "finished":
        provenance["finished"] = run.version
    elif run.state != "running":
        provenance["failed"] = f"W&B calls it {run.state}"
    # Last, since it says that the rest is there.
    _write(record, json.dumps(provenance, indent=2))
    return folder, samples


def _folder_name(run: LoggedRun) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_.=,+-]+', '-', run.name)[:100]}-{run.id}".lstrip(".-")


def _split(rows: list[dict[str, Any]]) -> tuple[str, dict[str, str]]:
    """metrics.csv as text, and moment (kclips as in names of samples) -> path of the video."""
    samples: dict[str, str] = {}
    lines: list[dict[str, Any]] = []
    for row in rows:
        clock = _number(row.get("kclips"))
        if clock is None:
            continue
        media = row.get(SAMPLES)
        if isinstance(media, dict) and media.get("_type") == VIDEO:
            samples[f"{clock:010.3f}"] = str(media["path"])
        numbers = {key: _number(value) for key, value in row.items() if not key.startswith("_")}
        line = {
            key: repr(value) for key, value in numbers.items() if value is not None and key not in _CLOCKS
        }
        if line.keys() - {"kclips"}:
            lines.append(line)
    # wandb 0.31 writes the keys of a row in random order (they come from a map of Go's).
    columns = sorted({key for line in lines for key in line} - set(_AXES), key=_place)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[*_AXES, *columns], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue(), samples


def _place(column: str) -> tuple[int, str]:
    """Metrics in vgen's own order, after everything else."""
    families = list(HIGHER_IS_BETTER)
    family = column.split("/")[0]
    return (families.index(family) if family in families else -1), column


def _number(value: Any) -> float | None:
    """W&B gives numbers that are not finite as words."""
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _protocols(summary: dict[str, Any]) -> dict[str, str]:
    """ "id", and each online metric -> its stamp."""
    start = "protocol/"
    return {key.removeprefix(start): str(value) for key, value in summary.items() if key.startswith(start)}


def _write(file: Path, text: str) -> None:
    with replacing(file) as partial:
        partial.write_text(text, encoding="utf-8")
