"""The report: run folders in, report.html, tables in three formats and figures out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vgen.report.compare import Row, make_rows
from vgen.report.difference import (
    difference_notes,
    difference_sheet,
    difference_table,
    find_baseline,
    marked_cells,
)
from vgen.report.figure import write_curves
from vgen.report.markup import escape_latex, latex_table, markdown_document, markdown_section
from vgen.report.matrix import Matrix, make_matrices
from vgen.report.page import Differences, Report, render_page
from vgen.report.runs import Run, read_runs
from vgen.report.scores import DURING_TRAINING
from vgen.report.study import Study, read_studies, study_notes, study_sheet
from vgen.report.study_figure import study_figures
from vgen.report.table import MARK, Sheet, make_sheet, score_table
from vgen.report.vector import write_pdf
from vgen.report.videos import Wall, choose_walls
from vgen.report.wall_figure import draw_wall


@dataclass(frozen=True)
class ReportPaths:
    """What was written; `more` are the files that only some reports have."""

    html: Path
    markdown: Path
    csv: Path
    latex: Path
    more: tuple[Path, ...] = ()

    def all(self) -> list[Path]:
        return [self.html, self.markdown, self.csv, self.latex, *self.more]


def write_report(
    runs: Path | list[Path], output: Path, *, title: str | None = None, baseline: str | None = None
) -> ReportPaths:
    """Compare all runs in and below `runs`; write report.html, table.md, table.csv, table.tex to `output`.

    Runs that differ in their seed alone are one row: mean and standard deviation over seeds. Numbers that
    were measured under different protocols, on different data or during training never share a column.
    Damaged and unfinished runs are named with the reason.

    With a `baseline` (name of a row, or as much of it as only one row has) every other row is tested against it:
    differences.csv and differences.tex. Rows that differ in two or three crossed factors give matrices.tex. Searches
    in the folders are shown with their best trials. Figures go to figures/*.pdf.

    Raises:
        FileNotFoundError: a folder does not exist, or none holds a run.
        ValueError: no row, or several, are called `baseline`.
    """
    folders = [Path(folder) for folder in (runs if isinstance(runs, list) else [runs])]
    found, problems = read_runs(folders)
    rows, duplicates = make_rows(found)
    studies, unreadable = read_studies(folders)
    problems = sorted([*problems, *duplicates, *unreadable], key=lambda problem: not problem.left_out)
    scores = score_table(rows)
    title = title or ", ".join(folder.resolve().name for folder in folders)

    chosen = None if baseline is None else find_baseline(rows, baseline)
    tested = None if chosen is None else difference_table(rows, chosen)
    sheet = make_sheet(rows, scores, frozenset() if tested is None else marked_cells(tested))
    differences = None
    if chosen is not None and tested is not None:
        differences = Differences(difference_sheet(rows, chosen, tested), difference_notes(chosen, tested))
    matrices = make_matrices(rows, sheet)
    notes, cautions = table_notes(sheet, chosen), row_cautions(rows)
    said = [f"{p.run}: {p.reason}{' (left out)' if p.left_out else ''}" for p in problems]
    walls = choose_walls(rows)

    output.mkdir(parents=True, exist_ok=True)
    html, markdown, csv, latex = (
        output / name for name in ("report.html", "table.md", "table.csv", "table.tex")
    )
    report = Report(
        title, datetime.now(), rows, sheet, notes, cautions, problems, differences, matrices, studies, walls
    )
    html.write_text(render_page(report), encoding="utf-8")
    text = markdown_document(title, sheet, [*notes, *cautions, *said])
    if differences is not None:
        text += markdown_section("Against the baseline", differences.sheet, differences.notes)
    for matrix in matrices:
        text += markdown_section(matrix.title, matrix.sheet, [matrix.stamp])
    for study in studies:
        text += markdown_section(f"Search {study.name}", study_sheet(study), study_notes(study))
    markdown.write_text(text, encoding="utf-8")
    scores.to_csv(csv, index=False)
    latex.write_text(latex_table(sheet, [*notes, *cautions, *said]), encoding="utf-8")

    more: list[Path] = []
    for name, content in (
        ("differences.csv", None if tested is None else tested.to_csv(index=False)),
        (
            "differences.tex",
            None if differences is None else latex_table(differences.sheet, differences.notes),
        ),
        ("matrices.tex", _latex_matrices(matrices, notes) if matrices else None),
    ):
        if content is not None:
            (output / name).write_text(content, encoding="utf-8")
            more.append(output / name)
        else:
            (output / name).unlink(missing_ok=True)  # of an earlier report on other runs
    more += _write_figures(rows, walls, studies, output / "figures")
    return ReportPaths(html, markdown, csv, latex, tuple(more))


def table_notes(sheet: Sheet, baseline: Row | None = None) -> list[str]:
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
    if baseline is not None:
        notes.append(
            f"{MARK} differs from the baseline “{baseline.name}”: p < 0.05 in a paired test over common seeds, "
            "corrected over the rows by Holm's method."
            if any(MARK in text for text in texts)
            else f"No row differs significantly (p < 0.05, paired over common seeds, Holm) from the baseline "
            f"“{baseline.name}”."
        )
    if sheet.real:
        notes.append("The row “real data” has the same statistic of the real clips of the evaluation.")
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


def _latex_matrices(matrices: Sequence[Matrix], notes: Sequence[str]) -> str:
    """A tabular per matrix under a line that names its measure."""
    lines = [f"% {' '.join(note.split())}" for note in notes]
    for matrix in matrices:
        title = rf"{escape_latex(matrix.title)} {{\footnotesize {escape_latex(matrix.stamp)}}}"
        lines += ["", rf"\noindent {title}\\[2pt]", latex_table(matrix.sheet) + r"\par\medskip"]
    return "\n".join(lines) + "\n"


def _write_figures(
    rows: Sequence[Row], walls: Sequence[Wall], studies: Sequence[Study], folder: Path
) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = write_curves(rows, folder)
    drawn = {}
    for i, study in enumerate(studies):
        number = f"_{i}" if i else ""
        drawn |= {f"search_{title}{number}.pdf": f for title, f in study_figures(study).items()}
    if walls and (figure := draw_wall(rows, max(walls, key=lambda wall: len(wall.videos)))) is not None:
        drawn["samples.pdf"] = figure
    for name, figure in drawn.items():
        write_pdf(figure, folder / name)
        paths.append(folder / name)
    return paths
