"""The report: run folders in, report.html, tables in three formats and figures out."""

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
    was_tested,
)
from vgen.report.figure import write_curves
from vgen.report.markup import escape_latex, latex_table, markdown_document, markdown_section
from vgen.report.matrix import Matrix, make_matrices
from vgen.report.notes import row_cautions, table_notes
from vgen.report.page import Differences, Report, render_page
from vgen.report.runs import Problem, Run, read_runs
from vgen.report.study import Study, read_studies, study_notes, study_sheet
from vgen.report.study_figure import study_figures
from vgen.report.swaps import ReadCodes, latent_notes, read_swaps, write_swaps
from vgen.report.table import interval_sheet, make_sheet, score_table
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
    runs: Path | list[Path],
    output: Path,
    *,
    title: str | None = None,
    baseline: str | None = None,
    codes: ReadCodes | None = None,
) -> ReportPaths:
    """Compare all runs in and below `runs`; write report.html, table.md, table.csv, table.tex to `output`.

    Runs that differ in their seed alone are one row: mean and standard deviation over seeds. Numbers that
    were measured under different protocols, on different data or during training never share a column.
    Damaged and unfinished runs are named with the reason.

    intervals.tex is the table with confidence intervals in place of spreads. With a `baseline` (name of a row, or as
    much of it as only one row has) every other row is tested against it: differences.csv and differences.tex. Rows
    that differ in two or three crossed factors give matrices.tex. Searches in the folders are shown with their best
    trials. Figures go to figures/*.pdf. With `codes`, which reads checkpoints, each method gets its motion x content
    grid, and the page says whether all draw the same latents.

    Raises:
        FileNotFoundError: a folder does not exist, or none holds a run.
        ValueError: no row, or several, are called `baseline`.
    """
    folders = [Path(folder) for folder in (runs if isinstance(runs, list) else [runs])]
    found, problems = read_runs(folders)
    studies, unreadable = read_studies(folders)
    title = title or ", ".join(folder.resolve().name for folder in folders)
    return write_run_report(
        found,
        [*problems, *unreadable],
        output,
        title=title,
        baseline=baseline,
        studies=studies,
        codes=codes,
    )


def write_run_report(
    runs: Sequence[Run],
    problems: Sequence[Problem],
    output: Path,
    *,
    title: str,
    baseline: str | None = None,
    studies: Sequence[Study] = (),
    codes: ReadCodes | None = None,
) -> ReportPaths:
    """What `write_report` does, of runs that were read already; `problems` are told beside those found here."""
    rows, duplicates = make_rows(runs)
    problems = sorted([*problems, *duplicates], key=lambda problem: not problem.left_out)
    scores = score_table(rows)

    chosen = None if baseline is None else find_baseline(rows, baseline)
    tested = None if chosen is None else difference_table(rows, chosen)
    sheet = make_sheet(rows, scores, frozenset() if tested is None else marked_cells(tested))
    differences = None
    if chosen is not None and tested is not None:
        differences = Differences(difference_sheet(rows, chosen, tested), difference_notes(chosen, tested))
    intervals = interval_sheet(sheet)
    matrices = make_matrices(rows, sheet)
    notes, cautions = table_notes(sheet, chosen, was_tested(tested)), row_cautions(rows)
    said = [f"{p.run}: {p.reason}{' (left out)' if p.left_out else ''}" for p in problems]
    walls = choose_walls(rows)

    figures = output / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    swaps = [] if codes is None else read_swaps(rows, codes)
    latents = latent_notes(rows, swaps)
    swaps, drawn = write_swaps(rows, swaps, figures)
    html, markdown, csv, latex = (
        output / name for name in ("report.html", "table.md", "table.csv", "table.tex")
    )
    report = Report(
        title=title,
        made=datetime.now(),
        rows=rows,
        sheet=sheet,
        notes=notes,
        cautions=cautions,
        problems=problems,
        differences=differences,
        matrices=matrices,
        studies=studies,
        walls=walls,
        latents=latents,
        swaps=swaps,
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
        ("intervals.tex", None if intervals is None else latex_table(intervals, [*notes, *cautions, *said])),
        ("matrices.tex", _latex_matrices(matrices, notes) if matrices else None),
    ):
        if content is not None:
            (output / name).write_text(content, encoding="utf-8")
            more.append(output / name)
        else:
            (output / name).unlink(missing_ok=True)  # of an earlier report on other runs
    more += [*_write_figures(rows, walls, studies, figures), *drawn]
    return ReportPaths(html, markdown, csv, latex, tuple(more))


def _latex_matrices(matrices: Sequence[Matrix], notes: Sequence[str]) -> str:
    """A tabular per matrix under a line that names its measure."""
    lines = [f"% {' '.join(note.split())}" for note in notes]
    for matrix in matrices:
        title = rf"{escape_latex(matrix.title)} {{\footnotesize {escape_latex(matrix.stamp)}}}"
        # in a box: a page may end between two matrices, but not between one and its title
        lines += ["", rf"\noindent\parbox{{\linewidth}}{{{title}\\[2pt]"]
        lines.append(latex_table(matrix.sheet).rstrip() + r"}\par\medskip")
    return "\n".join(lines) + "\n"


def _write_figures(
    rows: Sequence[Row], walls: Sequence[Wall], studies: Sequence[Study], folder: Path
) -> list[Path]:
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
