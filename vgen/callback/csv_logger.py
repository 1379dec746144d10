"""metrics.csv: every scalar of a run in one table that survives kills and resumes."""

import csv
import logging
import math
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from vgen.files import replacing

log = logging.getLogger("vgen")


class MetricsCSV(Logger):
    """Appends one row per logging event; the header grows when new names appear.

    Lightning's own CSV logger deletes the earlier rows of a resumed run. This one continues the table, dropping
    rows that a killed run wrote after the checkpoint it resumes from, so that no step is there twice.
    """

    def __init__(self, *, file: str) -> None:
        super().__init__()
        self.file = Path(file)
        self._columns: list[str] | None = None

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The run folder holds config.yaml."""

    @rank_zero_only
    def check(self, iteration: int) -> None:
        """Before a run is continued at `iteration`: tell of rows that were lost; ValueError for a damaged table."""
        if not self.file.exists() or not self._rows():
            log.warning(
                "%s has no rows: what was logged before iteration %d is lost", self.file, iteration + 1
            )

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self._columns is None:
            self._open(metrics)
        assert self._columns is not None
        new = [name for name in metrics if name not in self._columns]
        if new:
            rows = self._rows()
            self._columns += new
            self._rewrite(rows)
        with self.file.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow({k: _text(v) for k, v in metrics.items()})

    def _open(self, first: dict[str, float]) -> None:
        rows = self._rows() if self.file.exists() else []
        self._columns = list(rows[0]) if rows else []
        before = [row for row in rows if float(row["iteration"]) < first.get("iteration", float("inf"))]
        self._rewrite(before)

    def _rows(self) -> list[dict[str, str]]:
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines(keepends=True)
            # A kill in mid-write leaves a last line without its end.
            rows = list(csv.DictReader(line for line in lines if line.endswith("\n")))
            for number, row in enumerate(rows, start=2):
                if None in row or not _is_number(row.get("iteration")):
                    raise ValueError(f"line {number} is no row of it")
        except (ValueError, csv.Error) as error:
            raise ValueError(
                f"{self.file} is damaged ({error}): mend it, or move it away to go on without its rows"
            ) from None
        return rows

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        with replacing(self.file) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns or [], restval="")
            writer.writeheader()
            writer.writerows(rows)


def _text(value: float) -> str:
    value = float(value)
    return str(int(value)) if value.is_integer() else repr(value)


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text))
    except ValueError:
        return False
