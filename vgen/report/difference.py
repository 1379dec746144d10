"""Every row against a chosen baseline row: differences, intervals and tests over the seeds they share."""

import math
import statistics
from collections.abc import Sequence

import pandas as pd

from vgen.report.compare import Row
from vgen.report.paired import LARGEST_EXACT, LEVEL, Paired, compare_pairs, exact_is_enough, holm
from vgen.report.scores import Measure
from vgen.report.student import quantile
from vgen.report.table import (
    MARK,
    NOTHING,
    Cell,
    Heading,
    Sheet,
    arrow,
    decimals,
    factor_columns,
    full_stamp,
    measures_of,
    signed,
)

T_TEST, SIGN_FLIP, NO_TEST = "paired t", "sign-flip", ""
_IDENTITY = ("row", "metric", "protocol", "stamp", "real")
_FOUND = "baseline n seeds difference low high test p p_holm p_t p_sign_flip marked"


def find_baseline(rows: Sequence[Row], given: str) -> Row:
    """The row called `given`, else the only one with these settings, else the only one whose name holds all its parts.

    Raises:
        ValueError: none or several; says which rows there are.
    """
    names = ", ".join(f'"{row.name}"' for row in rows)
    asked = {part.strip() for part in given.split(",")}
    attempts = (
        [row for row in rows if row.name == given],
        [row for row in rows if asked <= {f"{key}={label}" for key, label in row.factors}],
        [row for row in rows if all(part.casefold() in row.name.casefold() for part in asked)],
    )
    found = next((attempt for attempt in attempts if attempt), [])
    if not given.strip() or not found:
        raise ValueError(f'baseline="{given}" is no row; the rows are {names}')
    if len(found) > 1:
        those = ", ".join(f'"{row.name}"' for row in found)
        raise ValueError(f'baseline="{given}" could be {those}; the rows are {names}')
    return found[0]


def difference_table(rows: Sequence[Row], baseline: Row) -> pd.DataFrame:
    """One line per other row and measure that both have; this is differences.csv.

    Columns: row, metric, protocol, stamp, real, baseline, n (common seeds), seeds, difference (row minus baseline, mean
    over common seeds), low and high (95 % interval), test (which of the two gave p; empty where none is possible), p,
    p_holm (corrected over the rows of the measure), p_t, p_sign_flip, marked (p_holm < 0.05).
    """
    lines = []
    for measure in measures_of(rows):
        column = [line for row in rows if row is not baseline for line in _line(row, baseline, measure)]
        tested = sum(line["n"] >= 2 for line in column)
        for line in column:
            exact = exact_is_enough(line["n"], tested)
            line["p"] = line["p_sign_flip" if exact else "p_t"]
            line["test"] = NO_TEST if math.isnan(line["p"]) else SIGN_FLIP if exact else T_TEST
        for line, p in zip(column, holm([line["p"] for line in column]), strict=True):
            line["p_holm"], line["marked"] = p, p < LEVEL
        lines += column
    return pd.DataFrame(lines, columns=pd.Index([*_IDENTITY, *_FOUND.split()]))


def marked_cells(table: pd.DataFrame) -> frozenset[tuple[str, Measure]]:
    """Row names and measures whose difference is significant."""
    lines = table.loc[table["marked"].astype(bool)].to_dict("records")
    return frozenset((line["row"], _measure(line)) for line in lines)


def was_tested(table: pd.DataFrame | None) -> bool:
    """Whether any test was possible."""
    return table is not None and bool((table["test"] != NO_TEST).any())


def difference_sheet(rows: Sequence[Row], baseline: Row, table: pd.DataFrame) -> Sheet:
    """Two columns per measure: the difference with its interval, and p after correction with its test."""
    others = [row for row in rows if row is not baseline]
    headings: list[Heading] = []
    cells: list[list[Cell]] = [[] for _ in others]
    measures = measures_of(rows)
    records = table.to_dict("records")
    for measure in measures:
        lines = {line["row"]: line for line in records if _measure(line) == measure}
        if not lines:
            continue
        places = _places(list(lines.values()))
        stamp = full_stamp(measure, measures)
        headings += [Heading(f"Δ {measure.metric}", arrow(rows, measure), stamp), Heading("p")]
        for row, out in zip(others, cells, strict=True):
            line = lines.get(row.name)
            out += [Cell(NOTHING), Cell(NOTHING)] if line is None else _cells(line, places)
    names, corner = [row.name for row in others], f"minus {baseline.name}"
    keys, values = factor_columns(others)
    return Sheet(headings, names, cells, corner=corner, keys=keys, values=values)


def difference_notes(baseline: Row, table: pd.DataFrame) -> list[str]:
    """How the tests were made, as far as the tables show them."""
    if table.empty:
        return [f"No row shares a measure with the baseline “{baseline.name}”."]
    notes = [
        f"Δ is the mean difference to the baseline “{baseline.name}” over common seeds (their number in brackets "
        "behind p), with its 95 % confidence interval by Student's t."
    ]
    tests = set(table["test"])
    if T_TEST in tests:
        notes.append("t: two-sided paired t test over common seeds; it assumes normal differences.")
    if SIGN_FLIP in tests:
        notes.append(
            "exact: two-sided sign-flip permutation test over common seeds, taken where the seeds are enough "
            f"for it to reach p < {LEVEL:g} after the correction (and at most {LARGEST_EXACT}); else t."
        )
    if NO_TEST in tests:
        notes.append(
            "“no test”: no test is possible with fewer than 2 common seeds or differences without spread."
        )
    if tests - {NO_TEST}:
        notes.append(
            f"p values are corrected over the rows of a column by Holm's method; {MARK} is p < {LEVEL:g}."
        )
    return notes


def _line(row: Row, baseline: Row, measure: Measure) -> list[dict]:
    """One line, none where one of the two was not measured."""
    ours, theirs = _by_seed(row, measure), _by_seed(baseline, measure)
    seeds = [seed for seed in ours if seed in theirs]
    if not ours or not theirs:
        return []
    if seeds:
        pairs = compare_pairs([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds])
    else:
        apart = statistics.fmean(ours.values()) - statistics.fmean(theirs.values())
        pairs = Paired(0, apart, math.nan, math.nan, math.nan, math.nan)
    identity = {name: getattr(measure, name) for name in _IDENTITY if name != "row"}
    return [
        identity
        | {
            "row": row.name,
            "baseline": baseline.name,
            "n": pairs.n,
            "seeds": ";".join(seeds),
            "difference": pairs.difference,
            "low": pairs.low,
            "high": pairs.high,
            "p_t": pairs.t_test,
            "p_sign_flip": pairs.sign_flip,
        }
    ]


def _by_seed(row: Row, measure: Measure) -> dict[str, float]:
    """Seed -> value; runs of one seed whose parts have seeds of their own count as one, by their mean."""
    values: dict[str, list[float]] = {}
    for run in row.runs:
        if measure in run.scores and run.seed is not None:
            values.setdefault(str(run.seed), []).append(run.scores[measure].value)
    return {seed: statistics.fmean(those) for seed, those in values.items()}


def _measure(line: dict) -> Measure:
    return Measure(line["metric"], line["protocol"], line["stamp"], line["real"])


def _places(lines: list[dict]) -> int:
    errors = [
        (line["high"] - line["low"]) / 2 / quantile(1 - LEVEL, line["n"] - 1)
        for line in lines
        if line["n"] > 1
    ]
    return decimals([line["difference"] for line in lines], errors)


def _cells(line: dict, places: int) -> list[Cell]:
    mark = MARK if line["marked"] else ""
    text = signed(line["difference"], places)
    if line["n"] > 1:
        text += f" [{signed(line['low'], places)}, {signed(line['high'], places)}]"
    if line["test"] == NO_TEST:
        return [Cell(text), Cell(f"no test ({line['n']})")]
    p = "< 0.001" if line["p_holm"] < 0.001 else f"{line['p_holm']:.3f}"
    return [Cell(text + mark), Cell(f"{p} {'exact' if line['test'] == SIGN_FLIP else 't'} ({line['n']})")]
