"""One HTML file that holds the whole report and needs nothing else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from vgen.report.compare import Row
from vgen.report.figure import Panel, colour, curve_panels, marker
from vgen.report.matrix import Matrix
from vgen.report.runs import Problem, Run
from vgen.report.study import Study, study_notes, study_sheet
from vgen.report.study_figure import study_panels
from vgen.report.swaps import SwapGrid
from vgen.report.table import REAL, Sheet
from vgen.report.videos import BUDGET, Wall, common_clock

_SYMBOLS = {"": "", "o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚", "X": "✖"}


@dataclass(frozen=True)
class Differences:
    """The rows against the baseline, and how that was tested."""

    sheet: Sheet
    notes: Sequence[str]


@dataclass(frozen=True)
class Report:
    """All that the page says.

    `notes` explain the table, `cautions` are what its reader must know; `latents` says what the methods' samples share.
    """

    title: str
    made: datetime
    rows: Sequence[Row]
    sheet: Sheet
    notes: Sequence[str]
    cautions: Sequence[str]
    problems: Sequence[Problem]
    differences: Differences | None
    matrices: Sequence[Matrix]
    studies: Sequence[Study]
    walls: Sequence[Wall]
    latents: Sequence[str]
    swaps: Sequence[SwapGrid]


def render_page(report: Report) -> str:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((files("vgen.report") / "page.html.jinja").read_text(encoding="utf-8"))
    main, other = curve_panels(report.rows)
    videos = [video for wall in report.walls for video in wall.videos]
    return template.render(
        zip=zip,
        title=report.title,
        made=report.made.strftime("%Y-%m-%d %H:%M"),
        run_count=sum(len(row.runs) for row in report.rows),
        rows=[
            {
                "name": row.name,
                "colour": colour(i),
                "symbol": _SYMBOLS[marker(i)],
                "cells": cells,
                "runs": [_details(run) for run in row.runs],
                "differences": row.differences,
            }
            for i, (row, cells) in enumerate(zip(report.rows, report.sheet.cells, strict=True))
        ],
        headings=report.sheet.headings,
        real_name=REAL,
        real=report.sheet.real,
        notes=report.notes,
        cautions=report.cautions,
        problems=report.problems,
        differences=report.differences,
        matrices=report.matrices,
        studies=[
            {
                "name": study.name,
                "sheet": study_sheet(study),
                "notes": study_notes(study),
                "panels": [_panel(panel) for panel in study_panels(study, i)],
            }
            for i, study in enumerate(report.studies)
        ],
        walls=report.walls,
        common=common_clock(report.rows),
        latents=report.latents,
        swaps=report.swaps,
        panels=[_panel(panel) for panel in main],
        other_panels=[_panel(panel) for panel in other],
        has_videos=any(video.data for video in videos) or any(swap.data for swap in report.swaps),
        videos_left_out=sum(not video.data for video in videos),
        video_count=len(videos),
        budget=f"{BUDGET / 1e6:g} MB",
    )


def _panel(panel: Panel) -> dict[str, Any]:
    # The SVG is ours: matplotlib escapes the text in it, `figure` the title.
    return {"title": panel.title, "svg": Markup(panel.svg), "note": panel.note}


def _details(run: Run) -> dict[str, Any]:
    evaluation = {key: run.evaluation[key] for key in ("protocol", "real", "fake") if key in run.evaluation}
    facts = {
        "folder": str(run.path),
        "W&B": run.url,
        "seed": run.seed,
        "kclips": None if run.kclips is None else f"{run.kclips:g}",
        "command": run.provenance.get("command"),
        "code": run.code,
        "started": run.provenance.get("started"),
        "finished": run.provenance.get("finished"),
    }
    return {
        "name": run.name,
        "facts": {key: str(value) for key, value in facts.items() if value not in (None, "")},
        "warnings": run.warnings,
        "config": yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True),
        "protocol": _pretty(evaluation),
        "provenance": _pretty(run.provenance),
    }


def _pretty(content: Any, longest: int = 4000) -> str:
    """Indented JSON whose long strings (a git diff) are cut."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [cut(inner) for inner in value]
        if isinstance(value, str) and len(value) > longest:
            return f"{value[:longest]} … ({len(value) - longest} more characters in the file)"
        return value

    return json.dumps(cut(content), indent=2, ensure_ascii=False, default=str) if content else ""
