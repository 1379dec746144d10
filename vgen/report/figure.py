"""Learning curves as SVG that takes its ink from the page, so that it is readable in light and dark."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vgen.report.compare import Row
from vgen.report.scores import metric_columns

# Okabe and Ito's colour-blind safe set, those first that keep a contrast of 3 on white and on near-black.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
MARKERS = ("", "o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
CLOCK_LABEL = "kclips (thousand real clips shown to D)"
_INK = "#010203"  # stands for the page's text colour until the SVG is written
_POINTS = 160


@dataclass(frozen=True)
class Panel:
    """One figure: `note` says what was done to the axis or the points."""

    title: str
    svg: str
    note: str


def colour(i: int) -> str:
    """Of row i."""
    return PALETTE[i % len(PALETTE)]


def marker(i: int) -> str:
    """Of row i: none in the first round through the palette, then one that tells equal colours apart."""
    return MARKERS[i // len(PALETTE) % len(MARKERS)]


def curve_panels(rows: Sequence[Row]) -> tuple[list[Panel], list[Panel]]:
    """The panels that exist: losses and metrics, then everything else that was logged."""
    columns = list(dict.fromkeys(c for row in rows for run in row.runs for c in run.curves.columns))
    logged = [c for c in columns if any(_seeds(row, c) for row in rows)]
    evaluated = {measure.metric for row in rows for run in row.runs for measure in run.scores}
    metrics = metric_columns(pd.DataFrame(columns=pd.Index(logged)), evaluated)
    losses = [c for c in logged if c.startswith("loss/")]
    other = [c for c in logged if c not in metrics and c not in losses and c not in ("iteration", "epoch")]
    main = [draw_panel(rows, losses, "loss", i=0)] if losses else []
    main += [draw_panel(rows, [c], c, i=i) for i, c in enumerate(metrics, 1)]
    return main, [draw_panel(rows, [c], c, i=i) for i, c in enumerate(other, 1 + len(metrics))]


def draw_panel(rows: Sequence[Row], columns: Sequence[str], title: str, *, i: int) -> Panel:
    """Columns of metrics.csv against kclips: colour = row, dash = column, thin = a seed, thick = their mean.

    `i` keeps the ids of several SVGs on one page apart.
    """
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "vgen",
        "font.family": "sans-serif",
        "font.size": 9,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(4.6, 2.9), layout="constrained", facecolor="none")
        axes = figure.add_subplot()
        drawn, thinned = [], False
        for r, row in enumerate(rows):
            for c, column in enumerate(columns):
                seeds = _seeds(row, column)
                drawn += seeds
                thinned |= any(len(seed) > _POINTS for seed in seeds)
                look = {"color": colour(r), "linestyle": DASHES[c % len(DASHES)]}
                _draw_seeds(axes, seeds, look, marker(r))
        notes = _scale(axes, np.concatenate([seed.to_numpy() for seed in drawn]))
        if thinned:
            notes.append(f"curves of more than {_POINTS} points are averaged in bins")
        if len(columns) > 1:
            handles = [
                Line2D([], [], color=_INK, linestyle=DASHES[c % len(DASHES)]) for c in range(len(columns))
            ]
            legend = axes.legend(
                handles, columns, frameon=False, fontsize=8, labelcolor=_INK, handlelength=2.6
            )
            for text in legend.get_texts():
                text.set_parse_math(False)
        _dress(axes)
        file = io.StringIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None})
    return Panel(title, _inline(file.getvalue(), f"panel{i}-", title), "; ".join(notes))


def mean_curve(seeds: Sequence[pd.Series]) -> pd.Series:
    """Mean over seeds where all of them have numbers, interpolated linearly between logging events."""
    start, end = max(seed.index[0] for seed in seeds), min(seed.index[-1] for seed in seeds)
    grid = np.unique(np.concatenate([seed.index.to_numpy(dtype=float) for seed in seeds]))
    grid = grid[(grid >= start) & (grid <= end)]
    values = [np.interp(grid, seed.index.to_numpy(dtype=float), seed.to_numpy()) for seed in seeds]
    return pd.Series(np.mean(values, axis=0), index=grid)


def thin(curve: pd.Series, points: int = _POINTS) -> pd.Series:
    """At most `points` points: means of equally long runs of neighbours, in value and clock."""
    if len(curve) <= points:
        return curve
    clock = np.array_split(curve.index.to_numpy(dtype=float), points)
    values = np.array_split(curve.to_numpy(dtype=float), points)
    return pd.Series([part.mean() for part in values], index=[part.mean() for part in clock])


def _seeds(row: Row, column: str) -> list[pd.Series]:
    curves = [pd.Series(run.curves[column].dropna()) for run in row.runs if column in run.curves.columns]
    return [curve for curve in curves if len(curve)]


def _draw_seeds(axes: Axes, seeds: list[pd.Series], look: dict, point: str) -> None:
    def draw(curve: pd.Series, **more) -> None:
        curve = thin(curve)
        point_of_one = point or ("o" if len(curve) == 1 else "")
        every = max(1, len(curve) // 8)
        axes.plot(
            curve.index,
            curve.to_numpy(),
            marker=point_of_one,
            markersize=3.5,
            markevery=every,
            **look,
            **more,
        )

    if len(seeds) > 1:
        for seed in seeds:
            draw(seed, linewidth=0.7, alpha=0.45)
        seeds = [mean for mean in [mean_curve(seeds)] if len(mean)]
    for seed in seeds:
        draw(seed, linewidth=1.7)


def _scale(axes: Axes, values: np.ndarray) -> list[str]:
    """Choose the vertical axis; returns what a reader must know of it."""
    low, high = values.min(), values.max()
    if low > 0 and high / low > 30:
        axes.set_yscale("log")
        return ["logarithmic axis"]
    inner_low, inner_high = np.percentile(values, [1, 99])
    inner = inner_high - inner_low
    if inner > 0 and high - low > 20 * inner:
        axes.set_ylim(inner_low - 0.2 * inner, inner_high + 0.2 * inner)
        return [f"axis cut at the 1st and 99th percentile, values reach from {low:.3g} to {high:.3g}"]
    return []


def _dress(axes: Axes) -> None:
    axes.set_xlabel(CLOCK_LABEL, color=_INK)
    axes.tick_params(colors=_INK, which="both", length=3)
    axes.grid(color=_INK, alpha=0.12, linewidth=0.6)
    axes.margins(x=0.02)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)


def _inline(svg: str, prefix: str, title: str) -> str:
    """An SVG file as an element of a page: no prologue, no outside name, ids of its own, the page's ink."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(xmlns(:\w+)?|version)="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}', svg).replace("url(#", f"url(#{prefix}")
    svg = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", svg, count=1)
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{label} over training"', 1)
    return svg.replace(_INK, "currentColor")
