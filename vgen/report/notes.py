"""What a reader of the table must know: how to read it, and what makes the comparison less than fair."""

from collections import Counter
from collections.abc import Sequence

from vgen.report.compare import Row
from vgen.report.runs import Run
from vgen.report.scores import DURING_TRAINING
from vgen.report.table import MARK, Sheet


def table_notes(sheet: Sheet, baseline: Row | None = None, tested: bool = True) -> list[str]:
    """How to read the table, as far as it shows the thing."""
    texts = [cell.text for cells in sheet.cells for cell in cells]
    notes = []
    if any("±" in text for text in texts):
        notes.append("± is the sample standard deviation over seeds (divisor n \N{MINUS SIGN} 1).")
    if any(cell.interval for cells in sheet.cells for cell in cells):
        notes.append("[…] under a mean is its 95 % confidence interval by Student's t over seeds.")
    ones = [name for name, cells in zip(sheet.names, sheet.cells, strict=True) if cells[0].text == "1"]
    if ones:
        notes.append(
            f"{'Every row has' if len(ones) == len(sheet.names) else 'Rows with n = 1 have'} a single seed: "
            "no spread, no confidence interval and no test."
        )
    if any("(se " in text for text in texts):
        notes.append(
            "(se …) is the standard error of the estimate from a single run; it is no spread over seeds."
        )
    if any("[n=" in text for text in texts):
        notes.append("[n=…] marks a mean over fewer seeds than the row has.")
    if any(cell.best for cells in sheet.cells for cell in cells):
        notes.append("Bold is the best of its column; columns with different stamps cannot be compared.")
    if baseline is not None and not tested:
        notes.append(
            f"No test against the baseline “{baseline.name}” is possible: it takes another row and two common seeds."
        )
    elif baseline is not None:
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
            "“during training” are the last values that were logged, and no evaluation: "
            "run `vgen evaluate checkpoint=RUN` for numbers under a protocol."
        )
    return notes


def row_cautions(rows: Sequence[Row]) -> list[str]:
    """What makes the comparison less than fair, and what the evaluations warned of."""
    runs = [run for row in rows for run in row.runs]
    cautions = []
    unnamed = list(dict.fromkeys(key for row in rows for key in row.unnamed))
    if unnamed:
        listed = ", ".join(unnamed[:12]) + (" …" if len(unnamed) > 12 else "")
        cautions.append(f"The methods differ in more than their names say: {listed}.")
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
