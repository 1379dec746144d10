"""metrics.csv: every scalar of a run in one table that survives kills and resumes."""

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from vgen.files import replacing


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
        before = [
            row
            for row in rows
            if row.get("iteration") and float(row["iteration"]) < first.get("iteration", float("inf"))
        ]
        self._rewrite(before)

    def _rows(self) -> list[dict[str, str]]:
        lines = self.file.read_text().splitlines(keepends=True)
        # A kill in mid-write leaves a last line without its end.
        return list(csv.DictReader(line for line in lines if line.endswith("\n")))

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        with replacing(self.file) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns or [], restval="")
            writer.writeheader()
            writer.writerows(rows)


def _text(value: float) -> str:
    value = float(value)
    return str(int(value)) if value.is_integer() else repr(value)
