"""metrics.csv grows columns, survives resumes, and never has a step twice."""

import csv
from pathlib import Path

from vgen.callback.csv_logger import MetricsCSV


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def write(file: Path, iterations: range, **more: float) -> None:
    logger = MetricsCSV(file=str(file))
    for iteration in iterations:
        logger.log_metrics({"kclips": iteration / 10, "iteration": iteration, "loss/d": 1.5, **more})


def test_new_columns_leave_old_rows_empty(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    logger = MetricsCSV(file=str(file))
    logger.log_metrics({"kclips": 0.5, "iteration": 1, "loss/d": 0.25})
    logger.log_metrics({"kclips": 1, "iteration": 2, "fvd/embedded": float("nan")})
    assert list(rows(file)[0]) == ["kclips", "iteration", "loss/d", "fvd/embedded"]
    assert [list(row.values()) for row in rows(file)] == [["0.5", "1", "0.25", ""], ["1", "2", "", "nan"]]


def test_a_resumed_run_replaces_what_was_written_after_its_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    write(file, range(1, 8))
    write(file, range(5, 11), more=1.0)
    assert [int(row["iteration"]) for row in rows(file)] == list(range(1, 11))
    assert [row["more"] for row in rows(file)] == [""] * 4 + ["1"] * 6


def test_a_row_cut_by_a_kill_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    write(file, range(1, 4))
    file.write_text(file.read_text()[:-4])
    write(file, range(4, 6))
    assert [int(row["iteration"]) for row in rows(file)] == [1, 2, 4, 5]
