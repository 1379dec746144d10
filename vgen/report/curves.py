"""metrics.csv -> curves, whatever a killed, resumed or diverged run left in it."""

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

TOO_EARLY = "the run ended before its first log"


def read_curves(path: Path) -> tuple[pd.DataFrame, frozenset[str], list[str]]:
    """Numbers by kclips (increasing; NaN where nothing finite was logged), diverged columns, and problems.

    Diverged is a column whose last logged value was NaN or infinite. An unreadable file gives an empty frame
    and the reason as its only problem.
    """
    try:
        text = _read_cells(path)
    except (OSError, ValueError) as error:
        return pd.DataFrame(index=pd.Index([], name="kclips", dtype=float)), frozenset(), [one_line(error)]
    numbers = {str(column): np.array([_number(cell) for cell in text[column]]) for column in text.columns}

    said, diverged = [], set()
    for column, values in numbers.items():
        logged = np.array([bool(cell.strip()) for cell in text[column]])
        broken = logged & np.isnan(values)
        if broken.any():
            start = numbers["kclips"][broken][0]
            said.append(f"{column} is not a finite number from {start:g} kclips on ({broken.sum()} times)")
            if np.flatnonzero(broken)[-1] == np.flatnonzero(logged)[-1]:
                diverged.add(column)
    return pd.DataFrame(pd.DataFrame(numbers).groupby("kclips").last()), frozenset(diverged), said


def one_line(error: BaseException) -> str:
    """What `error` says, without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def _read_cells(path: Path) -> pd.DataFrame:
    """The rows that count, as text: an empty cell (not logged) and "nan" (diverged) are different facts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            text = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False).fillna("")
    except FileNotFoundError:
        raise FileNotFoundError(f"no metrics.csv: {TOO_EARLY}") from None
    except pd.errors.EmptyDataError:
        raise ValueError(f"metrics.csv is empty: {TOO_EARLY}") from None
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise ValueError(f"metrics.csv cannot be read: {one_line(error)}") from None
    if "kclips" not in text.columns:
        raise ValueError("metrics.csv has no column kclips")
    clock = np.array([_number(cell) for cell in text["kclips"]])
    # A resumed run goes back to its checkpoint: what was logged beyond that point no longer counts. Rows
    # without a clock (the last one of a killed run may be cut off) never do.
    text = text.loc[clock <= np.fmin.accumulate(clock[::-1])[::-1]]
    if text.empty:
        raise ValueError(f"metrics.csv has no rows: {TOO_EARLY}")
    return text


def _number(cell: str) -> float:
    """NaN for what is empty, no number or not finite."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
