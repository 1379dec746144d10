"""An audit as tables: a line per number for readers, a line per value for programs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from vgen.report.table import NOTHING, Cell, Heading, Sheet

_SHARE = "motion share"
_MARK = {"graded": "", "uneven": "~", "reversed": "!"}
_ARROW = {True: "↑", False: "↓", None: ""}


def audit_sheet(result: Mapping[str, Any]) -> Sheet:
    """One row per number, one column per corruption (`ratio noticed/levels`), then the share of motion.

    A ratio is that of the strongest damage to the clean clips, or the distance in standard errors (se) where the clean
    value cannot be told from 0.
    """
    kinds = list(result["corruptions"])
    by_place = {(entry["metric"], entry["corruption"]): entry for entry in result["answers"]}
    directions = {entry["metric"]: entry["higher_is_better"] for entry in result["answers"]}
    cells = []
    for name in directions:
        answers = [by_place.get((name, kind)) for kind in kinds]
        share = result["balance"][name]["motion_share"]
        cells.append(
            [
                *(Cell(_text(entry) if entry else NOTHING) for entry in answers),
                Cell(NOTHING if share is None else f"{share:.0%}"),
            ]
        )
    names = [f"{name} {_ARROW[higher]}".rstrip() for name, higher in directions.items()]
    return Sheet([*(Heading(kind) for kind in kinds), Heading(_SHARE)], names, cells)


def audit_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """One line per number, corruption and level, the clean clips at level 0."""
    lines = [
        {
            "metric": entry["metric"],
            "corruption": entry["corruption"],
            "family": entry["family"],
            "level": level,
            "value": value,
            "standard_error": error,
            "response": response,
            "noticed": level in entry["verdict"]["noticed"] if level else None,
            "judgement": entry["verdict"]["judgement"],
            "higher_is_better": entry["higher_is_better"],
            "protocol": entry["protocol"],
            "stamp": entry["stamp"],
        }
        for entry in result["answers"]
        for level, value, error, response in zip(
            entry["levels"], entry["values"], entry["standard_errors"], entry["response"], strict=True
        )
    ]
    return pd.DataFrame(lines)


def audit_notes(result: Mapping[str, Any]) -> list[str]:
    """How to read the table, and under which conditions it was made."""
    strongest = ", ".join(
        f"{kind} {spec['levels'][-1]:g} ({spec['unit']})" for kind, spec in result["corruptions"].items()
    )
    reference, clean, protocol = result["reference"], result["clean"], result["protocol"]
    return [
        "Ratio of the value under the strongest damage to that of clean clips; 8se: 8 standard errors away, where the "
        "clean value cannot be told from 0. After it, how many of the levels are noticed (2 standard errors).",
        "~ noticed, but a stronger damage is not always worse; ! the damage looks better than clean clips; "
        "blind: no level is noticed.",
        f"{_SHARE}: temporal over spatial plus temporal sensitivity (doublings of the clean value); it compares "
        "metrics under the same corruptions and has no meaning beyond them.",
        f"Strongest damage: {strongest}.",
        f"Clean clips: {clean['clips']}, reference: {reference['clips']}, of different videos; {protocol['frames']} "
        f"frames of {clean['width']}x{clean['height']}, protocol {protocol['name']} ({protocol['id']}).",
    ]


def plain_table(sheet: Sheet) -> str:
    """The sheet for the terminal."""
    rows = [["", *(heading.name for heading in sheet.headings)]]
    rows += [
        [name, *(cell.text for cell in cells)] for name, cells in zip(sheet.names, sheet.cells, strict=True)
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(_aligned(row, widths) for row in rows)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        text.ljust(w) if i == 0 else text.rjust(w)
        for i, (text, w) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def _text(entry: Mapping[str, Any]) -> str:
    verdict = entry["verdict"]
    if verdict["judgement"] == "blind":
        return "blind"
    if verdict["ratio"] is not None:
        strength = f"{_short(verdict['ratio'])}x"
    else:
        strength = NOTHING if verdict["sigmas"] is None else f"{_short(verdict['sigmas'])}se"
    return f"{strength}{_MARK[verdict['judgement']]} {len(verdict['noticed'])}/{len(entry['levels']) - 1}"


def _short(number: float) -> str:
    """Two or three digits: 1.07, 13, 2.1e+04."""
    size = abs(number)
    return f"{number:.2f}" if size < 10 else f"{number:.0f}" if size < 10_000 else f"{number:.1e}"
