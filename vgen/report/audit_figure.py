"""An audit as small multiples: a row per number, a panel per family of damage, a line per corruption."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from vgen.report.figure import colour

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_ARROW = {True: "↑", False: "↓", None: ""}
_LOGARITHMIC = 8.0  # responses beyond this, in clean values, need a logarithmic axis
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,  # text stays text
}


def draw_audit(result: Mapping[str, Any]) -> Figure:
    """The figure: damage grows to the right, worse is up, in multiples of the clean value.

    The grey line is the clean half; bands are one standard error. Rows have a scale of their own.
    """
    families = list(dict.fromkeys(spec["family"] for spec in result["corruptions"].values()))
    names = list(dict.fromkeys(entry["metric"] for entry in result["answers"]))
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.3 * len(families) + 0.6, 1.45 * len(names) + 1.3), layout="constrained")
        grid = figure.subplots(len(names), len(families), squeeze=False, sharey="row", sharex="col")
        for row, name in zip(grid, names, strict=True):
            own = [entry for entry in result["answers"] if entry["metric"] == name]
            for axes, family in zip(row, families, strict=True):
                drawn = [entry for entry in own if entry["family"] == family]
                _panel(axes, drawn, _looks(result, family))
            _scale(row[0], own)
            arrow = _ARROW[own[0]["higher_is_better"]]
            row[0].set_ylabel(f"{name} {arrow}".rstrip().replace("/", "/\n", 1), fontsize=8)
        for axes, family in zip(grid[0], families, strict=True):
            axes.set_title(f"{family} damage", fontsize=9, loc="left", fontweight="bold")
            _legend(axes, _looks(result, family))
        levels = max(len(spec["levels"]) for spec in result["corruptions"].values())
        for axes in grid[-1]:
            axes.set_xticks(range(levels + 1), ["clean", *map(str, range(1, levels + 1))])
            axes.set_xlabel("level")
        figure.supylabel("worse than clean, in multiples of the clean value", fontsize=8)
    return figure


def _looks(result: Mapping[str, Any], family: str) -> dict[str, dict[str, Any]]:
    """Corruption -> its colour and marker, for those of one family."""
    kinds = [kind for kind, spec in result["corruptions"].items() if spec["family"] == family]
    return {kind: {"color": colour(i), "marker": _MARKERS[i % len(_MARKERS)]} for i, kind in enumerate(kinds)}


def _panel(axes: Axes, answers: Sequence[Mapping[str, Any]], looks: Mapping[str, dict[str, Any]]) -> None:
    axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    for entry in answers:
        look = looks[entry["corruption"]]
        places, response = range(len(entry["levels"])), entry["response"]
        axes.plot(places, response, linewidth=1.3, markersize=3.5, **look)
        errors = [(error or 0.0) / entry["unit"] for error in entry["standard_errors"]]
        low = [r - e for r, e in zip(response, errors, strict=True)]
        high = [r + e for r, e in zip(response, errors, strict=True)]
        axes.fill_between(places, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _scale(axes: Axes, answers: Sequence[Mapping[str, Any]]) -> None:
    highest = max(abs(r) for entry in answers for r in entry["response"])
    if highest == 0:
        axes.set_ylim(-0.05, 1)  # matplotlib would show the rounding of a flat line
    if highest <= _LOGARITHMIC:
        return
    # linear up to a doubling, so that the clean clips have a place
    axes.set_yscale("symlog", linthresh=1, linscale=0.6)
    steps = 1 if highest < 1e4 else 2
    ticks = [0.0, *(10.0**k for k in range(0, math.floor(math.log10(highest)) + 1, steps))]
    axes.set_yticks(ticks)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))


def _legend(axes: Axes, looks: Mapping[str, dict[str, Any]]) -> None:
    handles = [
        Line2D([], [], linewidth=1.3, markersize=3.5, label=kind, **look) for kind, look in looks.items()
    ]
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.14), ncols=3, frameon=False, borderaxespad=0,
        handlelength=1.8, columnspacing=1.0,
    )  # fmt: skip
