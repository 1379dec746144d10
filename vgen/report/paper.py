"""The pages of a paper: one report per table, with the runs it asks for only, and an index of all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from vgen.files import replacing
from vgen.report.compare import make_rows
from vgen.report.runs import Problem, Run, read_json, read_runs, small_of
from vgen.report.scores import Measure, Score, evaluated_scores
from vgen.report.table import REAL, Sheet, make_sheet, score_table
from vgen.report.write import ReportPaths, write_run_report


@dataclass(frozen=True)
class Wanted:
    """A run that a table asks for, whether or not it could be trained.

    Attributes:
        config: as composed from the manifest; it stands for that of a run which left nothing.
        results: evaluation -> its metrics.json, for those that the table shows.
        error: why there are no numbers, "" if there are.
    """

    name: str
    folder: Path
    config: dict[str, Any]
    results: Mapping[str, Path]
    error: str


@dataclass(frozen=True)
class TablePage:
    """What the index says of one table; `error` is why there is none."""

    name: str
    title: str
    folder: Path
    sheet: Sheet | None = None
    written: ReportPaths | None = None
    error: str = ""


@dataclass(frozen=True)
class Status:
    """One run in the index."""

    name: str
    folder: Path
    state: str
    error: str


def write_table(
    wanted: Sequence[Wanted],
    output: Path,
    *,
    name: str,
    title: str,
    baseline: str | None,
    metrics: Sequence[str],
) -> TablePage:
    """Report on the evaluations of `wanted`, and nothing that was measured otherwise. A missing run keeps its row.

    Raises:
        ValueError: no row, or several, are called `baseline`; a metric that nothing measured; two evaluations whose
            numbers would share a column although they are of different checkpoints.
    """
    found = [_read(one, metrics) for one in wanted]
    runs = _on_same_data([run for run, _ in found])
    problems = [problem for _, some in found for problem in some]
    measured = {measure.metric for run in runs for measure in run.scores}
    missing = [metric for metric in metrics if metric not in measured]
    if missing and any(not one.error for one in wanted):
        known = sorted(
            {m for one in wanted for file in one.results.values() for m in read_json(file).get("metrics", {})}
        )
        raise ValueError(
            f"metrics: no {missing[0]!r} among what was measured: {', '.join(known) or 'nothing'}"
        )
    paths = write_run_report(runs, problems, output, title=title, baseline=baseline)
    rows, _ = make_rows(runs)
    return TablePage(name, title, output, make_sheet(rows, score_table(rows)), paths)


def write_index(
    file: Path, *, title: str, tables: Sequence[TablePage], runs: Sequence[Status], manifest: str
) -> None:
    """One page: every table with links to its files, every run with its state, and the manifest itself."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = (files("vgen.report") / "paper.html.jinja").read_text(encoding="utf-8")
    page = environment.from_string(template).render(
        title=title,
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        tables=[(table, _links(table, file.parent)) for table in tables],
        runs=[(run, _link(run.folder, file.parent)) for run in runs],
        missing=[run for run in runs if run.error],
        manifest=manifest,
        real_name=REAL,
        zip=zip,
    )
    with replacing(file) as partial:
        partial.write_text(page, encoding="utf-8")


def _read(wanted: Wanted, metrics: Sequence[str]) -> tuple[Run, list[Problem]]:
    """The run with the scores of its evaluations, and with those alone."""
    problems: list[Problem] = []
    run = None
    if wanted.folder.is_dir():
        try:
            some, told = read_runs([wanted.folder])
            run = some[0] if some else None
            problems = [Problem(wanted.name, p.reason, False) for p in told]
        except FileNotFoundError:
            pass
    if run is None:
        empty = pd.DataFrame()
        run = Run(wanted.name, wanted.folder, wanted.config, empty, frozenset(), {}, {}, {}, ())
    if wanted.error:
        problems = [Problem(wanted.name, f"no numbers: {wanted.error}", False)]
    scores: dict[Measure, Score] = {}
    origin: dict[Measure, tuple[str, Any]] = {}
    evaluation: dict[str, Any] = {}
    for name, file in wanted.results.items():
        result = read_json(file)
        here, unusable = evaluated_scores(result)
        problems += [Problem(wanted.name, f"{name}: {reason}", False) for reason in unusable]
        measured = result.get("fake", {}).get("fingerprint"), small_of(result).get("fingerprint")
        for measure, score in here.items():
            if metrics and measure.metric not in metrics:
                continue
            other, fingerprint = origin.setdefault(measure, (name, measured))
            if fingerprint != measured:
                raise ValueError(
                    f"evaluations: {other} and {name} measure {measure.metric} under one protocol, of different "
                    "checkpoints; show them in two tables"
                )
            scores[measure] = score
        warnings = [*evaluation.get("warnings", []), *result.get("warnings", [])]
        evaluation = {**result, **evaluation, "warnings": list(dict.fromkeys(warnings))}
    # what was asked for makes the rows: a folder's own config also has what vgen knew, and found, at the time
    asked = wanted.config
    return replace(run, name=wanted.name, config=asked, scores=scores, evaluation=evaluation), problems


def _on_same_data(runs: Sequence[Run]) -> list[Run]:
    """Runs that never met their data take the fingerprint of those with the same settings for it: one row, not two."""
    known = {str(run.config.get("data")): run.data for run in runs if run.data}
    return [
        run if run.data else replace(run, provenance={**run.provenance, "data": {"fingerprint": known[key]}})
        if (key := str(run.config.get("data"))) in known
        else run
        for run in runs
    ]  # fmt: skip


def _links(table: TablePage, home: Path) -> list[tuple[str, str]]:
    if table.written is None:
        return []
    named = {
        "full report": table.written.html,
        "LaTeX": table.written.latex,
        "Markdown": table.written.markdown,
        "CSV": table.written.csv,
    }
    return [(name, _link(file, home)) for name, file in named.items()]


def _link(file: Path, home: Path) -> str:
    return file.relative_to(home).as_posix()
