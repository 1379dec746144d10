"""The folder of an audit: everything as JSON and CSV, a table for papers, a figure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf

from vgen.files import replacing
from vgen.report.audit_figure import draw_audit
from vgen.report.audit_table import audit_frame, audit_notes, audit_sheet, plain_table
from vgen.report.markup import latex_table, markdown_document


@dataclass(frozen=True)
class AuditPaths:
    json: Path
    csv: Path
    markdown: Path
    latex: Path
    pdf: Path
    png: Path


def write_audit(result: Mapping[str, Any], folder: Path) -> AuditPaths:
    """Write audit.json, audit.csv, audit.md, audit.tex, audit.pdf and audit.png; takes what `audit` returns."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = AuditPaths(*(folder / f"audit.{suffix}" for suffix in ("json", "csv", "md", "tex", "pdf", "png")))
    sheet, notes = audit_sheet(result), [*audit_notes(result), *result["warnings"]]
    with replacing(paths.json) as partial:
        partial.write_text(json.dumps(result, indent=2), encoding="utf-8")
    audit_frame(result).to_csv(paths.csv, index=False)
    stamps = dict.fromkeys(entry["stamp"] for entry in result["answers"])
    paths.markdown.write_text(
        markdown_document("Audit of metrics", sheet, [*notes, *stamps]), encoding="utf-8"
    )
    paths.latex.write_text(latex_table(sheet, [*notes, *stamps]), encoding="utf-8")
    figure = draw_audit(result)
    FigureCanvasPdf(figure).print_pdf(paths.pdf, metadata={"CreationDate": None})
    figure.set_dpi(160)
    FigureCanvasAgg(figure).print_png(paths.png)
    return paths


def format_audit(result: Mapping[str, Any]) -> str:
    """The table with its notes and warnings, for the terminal."""
    lines = [plain_table(audit_sheet(result)), "", *audit_notes(result)]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in result["warnings"])])
