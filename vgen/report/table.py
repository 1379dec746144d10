"""Rows -> statistics (one line per row and measure) -> the sheet of formatted cells that is printed."""

import math
import re
import statistics
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace

import pandas as pd

from vgen.report.compare import Row
from vgen.report.naming import name_of
from vgen.report.scores import DURING_TRAINING, Measure, Score
from vgen.report.student import quantile

SPEED = "speed/clips_per_s"
NOTHING = "\N{EN DASH}"
REAL = "real data"
MARK = "†"  # differs significantly from the baseline


@dataclass(frozen=True)
class Heading:
    """Of one column: `stamp` says under which protocol its numbers were measured, "" for other columns."""

    name: str
    arrow: str = ""
    stamp: str = ""


@dataclass(frozen=True)
class Cell:
    """`interval` is the 95 % confidence interval of the mean that `text` gives, "" where there is none."""

    text: str
    best: bool = False
    interval: str = ""


@dataclass(frozen=True)
class Sheet:
    """What all printed tables show: a name and one cell per heading for each row.

    `real`: one cell per heading for the row of the real clips, [] if no metric has a value for them. `corner` says what
    the names are, `span` what all headings are, "" where that needs no word. `keys` and, for each row, `values`: the
    factors whose settings make up the names, where they are the same two or more in all rows; else [].
    """

    headings: list[Heading]
    names: list[str]
    cells: list[list[Cell]]
    real: list[Cell] = field(default_factory=list)
    corner: str = ""
    span: str = ""
    keys: list[str] = field(default_factory=list)
    values: list[list[str]] = field(default_factory=list)


def measures_of(rows: Sequence[Row]) -> list[Measure]:
    """Every distinct measure: those of one metric side by side, evaluations before numbers from training."""
    found = dict.fromkeys(measure for row in rows for run in row.runs for measure in run.scores)
    metrics = list(dict.fromkeys(measure.metric for measure in found))
    return sorted(found, key=lambda m: (metrics.index(m.metric), m.stamp.startswith(DURING_TRAINING)))


def score_table(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per row and measure that has a number; this is table.csv.

    Columns: row, metric, protocol, stamp, real, higher_is_better, n, mean, std (over seeds, divisor n - 1;
    empty for one seed), low and high (95 % interval of the mean by Student's t; empty for one seed),
    standard_error (of a single seed's estimate), real_value (of the real clips, where the
    metric has one), best, kclips, clips_per_s, seeds, values, runs (the last three joined by ";", in the same order).
    """
    lines = []
    for measure in measures_of(rows):
        column = []
        for row in rows:
            scored = [(run, run.scores[measure]) for run in row.runs if measure in run.scores]
            if not scored:
                continue
            values = pd.Series([score.value for _, score in scored], dtype=float)
            single = len(scored) == 1
            half = math.nan if single else quantile(0.95, len(scored) - 1) * values.sem()
            column.append(
                {
                    "row": row.name,
                    "metric": measure.metric,
                    "protocol": measure.protocol,
                    "stamp": measure.stamp,
                    "real": measure.real,
                    "higher_is_better": None,
                    "n": len(scored),
                    "mean": values.mean(),
                    "std": math.nan if single else values.std(ddof=1),
                    "low": values.mean() - half,
                    "high": values.mean() + half,
                    "standard_error": scored[0][1].standard_error if single else None,
                    "real_value": _mean([score.real for _, score in scored]),
                    "best": False,
                    "kclips": max(row.kclips, default=None),
                    "clips_per_s": clips_per_second(row),
                    "seeds": ";".join(str(run.seed) for run, _ in scored),
                    "values": ";".join(repr(score.value) for _, score in scored),
                    "runs": ";".join(run.name for run, _ in scored),
                }
            )
        _mark_best(column, direction(rows, measure))
        lines += column
    columns = (
        "row metric protocol stamp real higher_is_better n mean std low high standard_error real_value best "
        "kclips clips_per_s seeds values runs"
    )
    return pd.DataFrame(lines, columns=pd.Index(columns.split()))


def direction(rows: Sequence[Row], measure: Measure) -> bool | None:
    """Whether higher is better; None if the runs do not say or contradict each other."""
    scores: list[Score] = [run.scores[measure] for row in rows for run in row.runs if measure in run.scores]
    said = {score.higher_is_better for score in scores}
    return said.pop() if len(said) == 1 else None


def arrow(rows: Sequence[Row], measure: Measure) -> str:
    """Which way is better, "" if that is not known."""
    return {True: "↑", False: "↓", None: ""}[direction(rows, measure)]


def clips_per_second(row: Row) -> float | None:
    """Median over everything its runs logged."""
    logged = [run.curves[SPEED].dropna() for run in row.runs if SPEED in run.curves.columns]
    speeds = [float(speed) for series in logged for speed in series]
    return statistics.median(speeds) if speeds else None


def decimals(values: Sequence[float], spreads: Sequence[float]) -> int:
    """Digits after the point: two digits of the typical spread; without any, four of the largest value."""
    positive = sorted(spread for spread in spreads if spread > 0)
    if positive:
        digits = 1 - math.floor(math.log10(positive[len(positive) // 2]))
    else:
        largest = max((abs(value) for value in values), default=0.0)
        digits = 3 - math.floor(math.log10(largest)) if largest > 0 else 1
    return min(max(digits, 0), 8)


def make_sheet(
    rows: Sequence[Row], scores: pd.DataFrame, marked: Set[tuple[str, Measure]] = frozenset()
) -> Sheet:
    """The printed table of `score_table(rows)`: n, one column per measure, kclips and clips/s where known.

    `marked`: row names and measures whose numbers get MARK.
    """
    headings = [Heading("n")]
    cells = [[Cell(str(len(row.runs)))] for row in rows]
    real = [Cell(NOTHING)]
    measures = measures_of(rows)
    for measure in measures:
        column = _column(scores, measure)
        places = _places(column.to_dict("records"))
        headings.append(Heading(measure.metric, arrow(rows, measure), full_stamp(measure, measures)))
        lines = {line["row"]: line for line in column.to_dict("records")}
        for row, out in zip(rows, cells, strict=True):
            line = lines.get(row.name)
            out.append(
                Cell(NOTHING)
                if line is None
                else Cell(
                    _text(line, places, len(row.runs)) + (MARK if (row.name, measure) in marked else ""),
                    bool(line["best"]),
                    _interval(line, places),
                )
            )
        real.append(_real_cell(column, places))
    if any(row.kclips for row in rows):
        headings.append(Heading("kclips"))
        for row, out in zip(rows, cells, strict=True):
            ends = sorted({f"{kclips:.4g}" for kclips in row.kclips}, key=float)
            out.append(Cell("\N{EN DASH}".join(dict.fromkeys([ends[0], ends[-1]])) if ends else NOTHING))
    speeds = [clips_per_second(row) for row in rows]
    if any(speed is not None for speed in speeds):
        headings.append(Heading("clips/s"))
        for speed, out in zip(speeds, cells, strict=True):
            out.append(Cell(NOTHING if speed is None else f"{speed:.3g}" if speed < 100 else f"{speed:.0f}"))
    real += [Cell(NOTHING)] * (len(headings) - len(real))
    real = real if set(real) != {Cell(NOTHING)} else []
    keys, values = factor_columns(rows)
    return Sheet(headings, [row.name for row in rows], cells, real, keys=keys, values=values)


def factor_columns(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """`keys` and `values` of a sheet of these rows."""
    named = [[factor for factor in row.factors if factor[0] not in row.unnamed] for row in rows]
    keys = [[key for key, _ in own] for own in named]
    complete = all(row.name == name_of(own) for row, own in zip(rows, named, strict=True))
    if not rows or not complete or len(keys[0]) < 2 or any(own != keys[0] for own in keys):
        return [], []
    return keys[0], [[label for _, label in own] for own in named]


def _column(scores: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    same = scores["metric"] == measure.metric
    for name in ("protocol", "stamp", "real"):
        same &= scores[name] == getattr(measure, name)
    return scores.loc[same]


def _mark_best(column: list[dict], higher_is_better: bool | None) -> None:
    """Mark the best of a column in place; what prints alike ties. One row alone is not best of anything."""
    for line in column:
        line["higher_is_better"] = higher_is_better
    if higher_is_better is None or len(column) < 2:
        return
    places = _places(column)
    pick = max if higher_is_better else min
    best = round(pick(line["mean"] for line in column), places)
    for line in column:
        line["best"] = round(line["mean"], places) == best


def _places(column: list[dict]) -> int:
    spreads = [line["std"] if line["n"] > 1 else line["standard_error"] for line in column]
    return decimals(
        [line["mean"] for line in column], [s for s in spreads if s is not None and not math.isnan(s)]
    )


def _text(line: dict, places: int, runs: int) -> str:
    text = f"{line['mean']:.{places}f}"
    if line["n"] > 1:
        text += f" ± {line['std']:.{places}f}"
    elif line["standard_error"] is not None and not math.isnan(line["standard_error"]):
        text += f" (se {line['standard_error']:.{places}f})"
    if line["n"] != runs:
        text += f" [n={line['n']}]"
    return text.replace("-", "\N{MINUS SIGN}")


def _interval(line: dict, places: int) -> str:
    if line["n"] < 2:
        return ""
    return f"[{_number(line['low'], places)}, {_number(line['high'], places)}]"


def interval_sheet(sheet: Sheet) -> Sheet | None:
    """The same table with intervals in place of spreads; None if no mean has one."""
    if not any(cell.interval for cells in sheet.cells for cell in cells):
        return None
    cells = [
        [
            replace(cell, text=re.sub(r" ± [\d.]+", f" {cell.interval}", cell.text), interval="")
            if cell.interval
            else cell
            for cell in line
        ]
        for line in sheet.cells
    ]
    return replace(sheet, cells=cells)


def _real_cell(column: pd.DataFrame, places: int) -> Cell:
    """Value of the real clips: the same for all rows, unless their evaluations ran on machines that round apart."""
    known = sorted(float(value) for value in column["real_value"].dropna())
    ends = [_number(value, places) for value in (known[0], known[-1])] if known else [NOTHING]
    return Cell("\N{EN DASH}".join(dict.fromkeys(ends)))


def _number(value: float, places: int) -> str:
    return f"{value:.{places}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float, places: int) -> str:
    """With its sign, as differences are written."""
    return f"{value:+.{places}f}".replace("-", "\N{MINUS SIGN}")


def _mean(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return statistics.fmean(known) if known else None


def full_stamp(measure: Measure, measures: Sequence[Measure]) -> str:
    """The stamp, with as much of protocol and data as tells it from the other columns of the metric."""
    rivals = [other for other in measures if other.metric == measure.metric and other != measure]
    rivals = [other for other in rivals if other.stamp == measure.stamp]
    text = measure.stamp
    if any(other.protocol != measure.protocol for other in rivals):
        text += f", protocol {measure.protocol}"
    if any(other.real != measure.real for other in rivals):
        text += f", real data {measure.real[:12] or 'unknown'}"
    return text
