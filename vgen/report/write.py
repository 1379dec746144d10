"""The report: run folders in, report.html and the table in three formats out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vgen.report.compare import Row, make_rows
from vgen.report.markup import latex_table, markdown_document
from vgen.report.page import Report, render_page
from vgen.report.runs import Run, read_runs
from vgen.report.scores import DURING_TRAINING
from vgen.report.table import Sheet, make_sheet, score_table


@dataclass(frozen=True)
class ReportPaths:
    html: Path
    markdown: Path
    csv: Path
    latex: Path


def write_report(runs: Path | list[Path], output: Path, *, title: str | None = None) -> ReportPaths:
    """Compare all runs in and below `runs`; write report.html, table.md, table.csv and table.tex to `output`.

    Runs that differ in their seed alone are one row: mean and standard deviation over seeds. Numbers that
    were measured under different protocols, on different data or during training never share a column.
    Damaged and unfinished runs are named with the reason.

    Raises:
        FileNotFoundError: a folder does not exist, or none holds a run.
    """
    folders = [Path(folder) for folder in (runs if isinstance(runs, list) else [runs])]
    found, problems = read_runs(folders)
    rows, duplicates = make_rows(found)
    problems = sorted([*problems, *duplicates], key=lambda problem: not problem.left_out)
    scores = score_table(rows)
    sheet = make_sheet(rows, scores)
    title = title or ", ".join(folder.resolve().name for folder in folders)
    notes, cautions = table_notes(sheet), row_cautions(rows)

    output.mkdir(parents=True, exist_ok=True)
    paths = ReportPaths(*(output / name for name in ("report.html", "table.md", "table.csv", "table.tex")))
    said = [f"{p.run}: {p.reason}{' (left out)' if p.left_out else ''}" for p in problems]
    report = Report(title, datetime.now(), rows, sheet, notes, cautions, problems)
    paths.html.write_text(render_page(report), encoding="utf-8")
    paths.markdown.write_text(markdown_document(title, sheet, [*notes, *cautions, *said]), encoding="utf-8")
    scores.to_csv(paths.csv, index=False)
    paths.latex.write_text(latex_table(sheet, [*notes, *cautions, *said]), encoding="utf-8")
    return paths


def table_notes(sheet: Sheet) -> list[str]:
    """How to read the table, as far as it shows the thing."""
    texts = [cell.text for cells in sheet.cells for cell in cells]
    notes = []
    if any("±" in text for text in texts):
        notes.append("± is the sample standard deviation over seeds (divisor n \N{MINUS SIGN} 1).")
    if any("(se " in text for text in texts):
        notes.append(
            "(se …) is the standard error of the estimate from a single run; it is no spread over seeds."
        )
    if any("[n=" in text for text in texts):
        notes.append("[n=…] marks a mean over fewer seeds than the row has.")
    if any(cell.best for cells in sheet.cells for cell in cells):
        notes.append("Bold is the best of its column; columns with different stamps cannot be compared.")
    if any(heading.stamp.startswith(DURING_TRAINING) for heading in sheet.headings):
        notes.append(
            "“during training” are the last values of metrics.csv and no evaluation: "
            "run `vgen evaluate checkpoint=RUN` for numbers under a protocol."
        )
    return notes


def row_cautions(rows: Sequence[Row]) -> list[str]:
    """What makes the comparison less than fair, and what the evaluations warned of."""
    runs = [run for row in rows for run in row.runs]
    cautions = []
    if len({f"{run.kclips:.4g}" for run in runs if run.kclips is not None}) > 1:
        cautions.append("The runs were trained for different lengths, see the column kclips.")
    for what, versions in (("code", [r.code for r in runs]), ("training data", [r.data for r in runs])):
        counts = Counter(version for version in versions if version)
        if len(counts) > 1:
            listed = ", ".join(
                f"{version[:24]} ({_count(count, 'run')})" for version, count in counts.most_common(5)
            )
            cautions.append(f"The runs used different {what}: {listed}{' …' if len(counts) > 5 else ''}.")
    warned: dict[str, list[Run]] = {}
    for run in runs:
        for warning in run.warnings:
            warned.setdefault(warning, []).append(run)
    cautions += [f"{warning} ({_count(len(those), 'run')})" for warning, those in warned.items()]
    return cautions


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
