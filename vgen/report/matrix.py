"""Ablations of two or three factors: the results as matrices of one factor against the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from vgen.report.compare import Row
from vgen.report.table import NOTHING, Cell, Heading, Sheet


@dataclass(frozen=True)
class Matrix:
    """One measure over two factors; `title` names the measure, and the value of the third factor if there is one."""

    title: str
    stamp: str
    sheet: Sheet


def make_matrices(rows: Sequence[Row], sheet: Sheet) -> list[Matrix]:
    """Rearranges the cells of the main table, if the rows differ in two or three factors that cross.

    With three, the one with the fewest values (of several the last) tells the matrices apart. Factors that change only
    together, as in a list of named methods, make no matrix.
    """
    keys = list(dict.fromkeys(key for row in rows for key, _ in row.factors))
    if len(keys) not in (2, 3):
        return []
    places = [dict(row.factors) for row in rows]
    values = {key: list(dict.fromkeys(place.get(key, NOTHING) for place in places)) for key in keys}
    third = min(reversed(keys), key=lambda key: len(values[key])) if len(keys) == 3 else ""
    down, across = (key for key in keys if key != third)
    located = {
        tuple(place.get(key, NOTHING) for key in (down, across, third)): cells
        for place, cells in zip(places, sheet.cells, strict=True)
    }
    if len(located) < len(rows) or not _crossed(list(located)):
        return []
    matrices = []
    for column, heading in enumerate(sheet.headings):
        if not heading.stamp:
            continue
        for value in values[third] if third else [NOTHING]:
            here = [place for place in located if place[2] == value]
            names = [v for v in values[down] if any(place[0] == v for place in here)]
            heads = [v for v in values[across] if any(place[1] == v for place in here)]
            cells = [
                [
                    located[name, head, value][column] if (name, head, value) in located else Cell(NOTHING)
                    for head in heads
                ]
                for name in names
            ]
            title = f"{heading.name} {heading.arrow}".rstrip() + (f", {third}={value}" if third else "")
            headings = [Heading(head) for head in heads]
            matrices.append(
                Matrix(title, heading.stamp, Sheet(headings, names, cells, corner=down, span=across))
            )
    return matrices


def _crossed(places: list[tuple[str, ...]]) -> bool:
    """Whether, for some third value, either factor changes while the other stays."""

    def moves(i: int, j: int) -> bool:
        stays = [(place[j], place[2]) for place in places]
        return len(set(stays)) < len({(place[i], *stay) for place, stay in zip(places, stays, strict=True)})

    return moves(0, 1) and moves(1, 0)
