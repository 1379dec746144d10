"""Runs -> rows of the table: one per method, over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vgen.report.naming import Factor, find_factors, name_of, telling_factors
from vgen.report.runs import Problem, Run, natural_key
from vgen.report.settings import code, comparable, seeds_of


@dataclass(frozen=True)
class Row:
    """Runs that differ in their seed alone.

    Attributes:
        name: what distinguishes it from the other rows, e.g. "loss=hinge, regularizer.r1.weight=10".
        factors: pairs of key and label, of which the name gives those that it needs; a row lacks those that mean
            nothing for its components.
        differences: every config key that differs between rows -> its value here.
    """

    name: str
    runs: tuple[Run, ...]
    differences: dict[str, str]
    factors: tuple[Factor, ...] = ()

    @property
    def unnamed(self) -> list[str]:
        """Keys of the factors that the name leaves out."""
        return [key for key, label in self.factors if f"{key}={label}" not in self.name]

    @property
    def kclips(self) -> list[float]:
        return [run.kclips for run in self.runs if run.kclips is not None]


def make_rows(runs: Sequence[Run]) -> tuple[list[Row], list[Problem]]:
    """Group runs into rows, in the natural order of their folders, and within a row of their seeds.

    Two runs of the same configuration and seed would count as two samples of the spread over seeds: the one
    that is evaluated, finished and newer stands for both, the other is left out and named.
    """
    groups: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: natural_key(run.name)):
        method = {key: code(value) for key, value in comparable(_method(run)).items()}
        groups.setdefault(code(method), []).append(run)
    problems: list[Problem] = []
    rows = []
    for group in groups.values():
        kept, dropped = _one_per_seed(group)
        problems += dropped
        rows.append(Row("", tuple(kept), {}))
    factors, differences = find_factors([_method(row.runs[0]) for row in rows])
    fallback = _experiment(rows[0].runs[0]) if rows else ""
    named = [
        replace(r, name=name_of(t) or fallback, differences=d, factors=tuple(f))
        for r, t, f, d in zip(rows, telling_factors(factors), factors, differences, strict=True)
    ]
    return _distinct(named), problems


def _method(run: Run) -> dict[str, Any]:
    """The config; which data it met, since the same path may hold other videos today; and whose clips it enlarged."""
    return run.config | {"data_fingerprint": run.data or None, "small": run.small or None}


def _one_per_seed(runs: list[Run]) -> tuple[list[Run], list[Problem]]:
    best: dict[str, Run] = {}
    problems = []
    for run in sorted(
        runs, key=lambda r: (bool(r.evaluation), r.finished, str(r.provenance.get("started", "")))
    ):
        key = run.name if run.seed is None else code(seeds_of(run.config))
        if key in best:
            reason = f"same configuration and seed ({run.seed}) as {run.name}, which counts"
            problems.append(Problem(best[key].name, reason, True))
        best[key] = run
    return sorted(best.values(), key=lambda run: natural_key(f"{run.seed}/{run.name}")), problems


def _experiment(run: Run) -> str:
    choices = run.config.get("choices")
    chosen = choices.get("experiment") if isinstance(choices, dict) else None
    for name in (run.config.get("experiment"), run.config.get("name"), chosen):
        if isinstance(name, str) and name:
            return name
    return run.path.resolve().parent.name


def _distinct(rows: list[Row]) -> list[Row]:
    """Number rows whose names are equal, which long values cut short can do."""
    seen: dict[str, int] = {}
    distinct = []
    for row in rows:
        seen[row.name] = seen.get(row.name, 0) + 1
        distinct.append(replace(row, name=f"{row.name} ({seen[row.name]})") if seen[row.name] > 1 else row)
    return distinct
