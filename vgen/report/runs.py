"""Run folders on disk -> `Run` objects. A damaged run never raises: it becomes a `Problem` with a reason."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from vgen.report.curves import one_line, read_curves
from vgen.report.scores import Measure, Score, evaluated_scores, training_scores


@dataclass(frozen=True)
class Problem:
    """Something a reader of the table must know of one run; `left_out` if the run is not in the table."""

    run: str
    reason: str
    left_out: bool


@dataclass(frozen=True)
class Run:
    """What a run folder holds.

    Attributes:
        name: path below the folder that was searched.
        config: the whole resolved configuration.
        curves: numbers over training, index kclips (increasing); what was not logged or not finite is NaN.
        diverged: columns of `curves` whose last logged value was not finite.
        scores: measure -> number.
        evaluation: content of metrics.json; empty if the run was not evaluated.
        samples: videos, oldest first.
    """

    name: str
    path: Path
    config: dict[str, Any]
    curves: pd.DataFrame
    diverged: frozenset[str]
    scores: dict[Measure, Score]
    evaluation: dict[str, Any]
    provenance: dict[str, Any]
    samples: tuple[Path, ...]

    @property
    def seed(self) -> Any:
        return self.config.get("seed")

    @property
    def kclips(self) -> float | None:
        """Thousand real clips that D had been shown when the run's numbers were made."""
        evaluated = _evaluated_kclips(self.evaluation)
        if evaluated is not None:
            return evaluated
        return float(self.curves.index[-1]) if len(self.curves) else None

    @property
    def small(self) -> str:
        """The run whose clips this one enlarged where it was evaluated, and its checkpoint; "" if it did not."""
        chained = small_of(self.evaluation)
        if not chained:
            return ""
        file = Path(str(chained.get("source", "")))
        named = file.parent.parent.name if file.parent.name == "checkpoints" else file.stem
        return f"{named}-{str(chained.get('fingerprint', ''))[:8]}"

    @property
    def warnings(self) -> list[str]:
        """What the evaluation warned of."""
        said = self.evaluation.get("warnings")
        return [str(line) for line in said] if isinstance(said, list) else []

    @property
    def finished(self) -> bool:
        return bool(self.provenance.get("finished"))

    @property
    def data(self) -> str:
        """Fingerprint of the training data, or ""."""
        data = self.provenance.get("data")
        return str(data.get("fingerprint", "")) if isinstance(data, dict) else ""

    @property
    def url(self) -> str:
        """Page of the run in W&B, if it was read from there."""
        origin = self.provenance.get("wandb")
        return str(origin.get("url", "")) if isinstance(origin, dict) else ""

    @property
    def code(self) -> str:
        """Commit the run was made with, marked "+changes" if the checkout differed from it, or ""."""
        git = self.provenance.get("git")
        if not isinstance(git, dict) or not git.get("commit"):
            return ""
        return str(git["commit"])[:10] + ("+changes" if git.get("diff") else "")


def _evaluated_kclips(evaluation: dict[str, Any]) -> float | None:
    """How long the evaluated checkpoint had been trained, where metrics.json says so."""
    fake = evaluation.get("fake")
    kclips = fake.get("kclips") if isinstance(fake, dict) else None
    return float(kclips) if isinstance(kclips, int | float) else None


def small_of(evaluation: dict[str, Any]) -> dict[str, Any]:
    """What metrics.json says of the checkpoint that made the small clips of a chain; {} where there is none."""
    fake = evaluation.get("fake")
    small = fake.get("small") if isinstance(fake, dict) else None
    return small if isinstance(small, dict) else {}


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key under which run 10 comes after run 9."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]


def find_run_folders(folder: Path) -> Iterator[Path]:
    """`folder` itself or folders below with config.yaml and metrics.csv, in natural order.

    A run that ended before its first log has provenance.json only and counts too. Hidden folders and the
    inside of runs are skipped.
    """
    for here, folders, files in os.walk(folder):
        if "config.yaml" in files and not {"metrics.csv", "provenance.json"}.isdisjoint(files):
            folders.clear()
            yield Path(here)
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=natural_key)


def read_runs(folders: Iterable[Path]) -> tuple[list[Run], list[Problem]]:
    """All readable runs of `folders`, and what is wrong with any run.

    A run without any number keeps its row: that a method diverged is a result too.

    Runs without metrics.json get the last values of the metric columns of metrics.csv. As soon as one run
    needs that, all runs get these columns (beside those of metrics.json), so that there is something to
    compare with.

    Raises:
        FileNotFoundError: a folder does not exist, or none holds a run.
    """
    runs: list[Run] = []
    problems: list[Problem] = []
    seen: set[Path] = set()
    folders = list(folders)
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"runs={folder}: no such folder")
        for path in find_run_folders(folder):
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            name = path.resolve().name if path == folder else path.relative_to(folder).as_posix()
            run, found = _read_run(path, name)
            problems += found
            if run is not None:
                runs.append(run)
    if not seen:
        given = ", ".join(str(folder) for folder in folders)
        raise FileNotFoundError(
            f"runs={given}: no run in or below it (a run is a folder with config.yaml and metrics.csv)"
        )
    if any(not run.evaluation and len(run.curves) for run in runs):
        known = {
            measure.metric: score.higher_is_better for run in runs for measure, score in run.scores.items()
        }
        runs = [replace(run, scores=run.scores | _scores_during_training(run, known)) for run in runs]
    return runs, problems


def _scores_during_training(run: Run, known: dict[str, bool | None]) -> dict[Measure, Score]:
    # The last finite value must not stand for a run that ended in NaN.
    curves = run.curves.drop(columns=list(run.diverged))
    protocols = run.provenance.get("online_protocol", {})
    return training_scores(curves, run.config, run.data, known, protocols)


def _read_run(path: Path, name: str) -> tuple[Run | None, list[Problem]]:
    """The run in `path`, None if nothing of it can be shown."""
    try:
        config = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError, yaml.YAMLError) as error:
        return None, [Problem(name, f"config.yaml cannot be read: {one_line(error)}", True)]

    curves, diverged, said = read_curves(path / "metrics.csv")

    evaluation: dict[str, Any] = {}
    scores: dict[Measure, Score] = {}
    try:
        evaluation = read_json(path / "metrics.json")
        if evaluation:
            scores, unusable = evaluated_scores(evaluation)
            said += unusable
    except (OSError, ValueError) as error:
        evaluation = {}
        said.append(f"metrics.json cannot be used, evaluate the run again: {one_line(error)}")

    provenance: dict[str, Any] = {}
    try:
        provenance = read_json(path / "provenance.json")
    except (OSError, ValueError) as error:
        said.append(f"provenance.json cannot be read: {one_line(error)}")
    if provenance.get("failed"):
        said.append(f"failed: {provenance['failed']}")
    elif provenance and not provenance.get("finished"):
        said.append("not finished: it was killed or is still running")

    evaluated = _evaluated_kclips(evaluation)
    if evaluated is not None and len(curves) and evaluated < float(curves.index[-1]):
        end = float(curves.index[-1])
        said.append(
            f"its numbers are those of the checkpoint at {evaluated:g} kclips; it was trained to {end:g}"
        )

    problems = [Problem(name, "; ".join(said), False)] if said else []
    samples = tuple(sorted((path / "samples").glob("*.mp4"), key=lambda file: natural_key(file.stem)))
    return Run(name, path, config, curves, diverged, scores, evaluation, provenance, samples), problems


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file, {} where there is no file.

    Raises:
        ValueError: it holds something else.
    """
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    return content
