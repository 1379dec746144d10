"""What became of a run, told by its folder alone: whether it is finished, and the number that a sweep compares."""

import csv
import json
import math
from pathlib import Path
from typing import Literal

from vgen.metric.names import HIGHER_IS_BETTER


def direction(metric: str, mode: str | None) -> Literal["min", "max"]:
    """Whether low or high values of `metric` are good: what `mode` says, else what is known of its name.

    Raises ValueError where neither tells.
    """
    if mode not in (None, "min", "max"):
        raise ValueError(f"sweep.mode={mode}: choose min or max")
    higher = HIGHER_IS_BETTER.get(metric.partition("/")[0])
    if mode is None and higher is None:
        raise ValueError(
            f"sweep.metric={metric}: is low or high better? give sweep.mode=min or sweep.mode=max"
        )
    return "max" if mode == "max" or (mode is None and higher) else "min"


def is_finished(run: Path) -> bool:
    """Whether training in this folder reached the length that it was last asked for."""
    try:
        return "finished" in json.loads((run / "provenance.json").read_text())
    except (OSError, ValueError, TypeError):
        return False


def objective(run: Path, metric: str, take: Literal["best", "last"], mode: Literal["min", "max"]) -> float:
    """The best or the last value of `metric` in the run's metrics.csv.

    Raises ValueError if the run never measured it, or if what is taken is NaN.
    """
    file = run / "metrics.csv"
    if not file.is_file():
        raise ValueError(f"{file} is missing: a sweep reads its metric there; add logger=[csv]")
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    values = [float(row[metric]) for row in rows if row.get(metric)]
    if not values:
        measured = sorted(
            {name for row in rows for name, value in row.items() if value and "/" in (name or "")}
        )
        raise ValueError(
            f"sweep.metric={metric}: {run} never measured it (is metric_every above kclips?); it has "
            f"{', '.join(measured) or 'no metric'}"
        )
    if take == "last":
        value = values[-1]
    else:
        numbers = [value for value in values if not math.isnan(value)]
        value = (min if mode == "min" else max)(numbers, default=math.nan)
    if not math.isfinite(value):
        raise ValueError(f"{metric} of {run} is {value}")
    return value
