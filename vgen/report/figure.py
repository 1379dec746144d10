"""Learning curves: seeds, their mean and its 95 % band, for the page and as PDF files."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vgen.report.compare import Row
from vgen.report.scores import metric_columns
from vgen.report.student import quantile
from vgen.report.vector import INK, dress, plain, style, to_svg, write_pdf

# Okabe and Ito's colour-blind safe set, those first that keep a contrast of 3 on white and on near-black.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
MARKERS = ("", "o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (9, 3)), (0, (4, 1.5, 1, 1.5, 1, 1.5)))
CLOCK_LABEL = "kclips (thousand real clips shown to D)"
BAND_SEEDS = 3  # with two, the interval is 12.7 standard errors wide
LEGEND_WIDTH = 76  # letters
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
    main, other = plan_curves(rows)
    panels = [_panel(rows, columns, title, i) for i, (title, columns) in enumerate([*main, *other])]
    return panels[: len(main)], panels[len(main) :]


def write_curves(rows: Sequence[Row], folder: Path) -> list[Path]:
    """The curves of losses and metrics as PDF files, each with its legend of rows."""
    paths: list[Path] = []
    for title, columns in plan_curves(rows)[0]:
        figure, _ = draw_curves(rows, columns, title=title)
        name = re.sub(r"[^\w.-]+", "_", title)[:80]
        path = folder / f"{name}.pdf"
        if path in paths:
            path = folder / f"{name}_{len(paths)}.pdf"
        write_pdf(figure, path)
        paths.append(path)
    return paths


def plan_curves(rows: Sequence[Row]) -> tuple[list[tuple[str, list[str]]], list[tuple[str, list[str]]]]:
    """Titles and columns of the panels: losses and metrics, then everything else that was logged."""
    columns = list(dict.fromkeys(c for row in rows for run in row.runs for c in run.curves.columns))
    logged = [c for c in columns if any(_seeds(row, c) for row in rows)]
    evaluated = {measure.metric for row in rows for run in row.runs for measure in run.scores}
    metrics = metric_columns(pd.DataFrame(columns=pd.Index(logged)), evaluated)
    losses = [c for c in logged if c.startswith("loss/")]
    other = [c for c in logged if c not in metrics and c not in losses and c not in ("iteration", "epoch")]
    main = [("loss", losses)] if losses else []
    return main + [(c, [c]) for c in metrics], [(c, [c]) for c in other]


def draw_curves(
    rows: Sequence[Row], columns: Sequence[str], *, title: str | None = None
) -> tuple[Figure, list[str]]:
    """Columns of metrics.csv against kclips: colour = row, dash = column, thin = a seed, thick = their mean.

    The band is the 95 % confidence interval of the mean by Student's t, from three seeds on. A figure with a title
    stands alone and has a legend of the rows. Returns what a reader must know of the axis and the points too.
    """
    with style():
        names = ["\n".join(textwrap.wrap(row.name, LEGEND_WIDTH)) for row in rows]
        lines = len(names) + sum(name.count("\n") for name in names)
        size = (4.6, 2.9 + (0.3 + 0.17 * lines if title else 0))
        figure = Figure(figsize=size, layout="constrained", facecolor="none")
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
                Line2D([], [], color=INK, linestyle=DASHES[c % len(DASHES)]) for c in range(len(columns))
            ]
            look = {"frameon": False, "fontsize": 8, "labelcolor": INK, "handlelength": 2.6}
            plain(axes.legend(handles, columns, **look))
        dress(axes)
        axes.set_xlabel(CLOCK_LABEL, color=INK)
        axes.margins(x=0.02)
        moments = {float(moment) for seed in drawn for moment in seed.index}
        if len(moments) == 1:
            axes.set_xticks(sorted(moments))
        if title:
            axes.set_title(title, fontsize=9, loc="left", parse_math=False)
            handles = [
                Line2D([], [], color=colour(r), marker=marker(r), markersize=4) for r in range(len(rows))
            ]
            plain(figure.legend(handles, names, loc="outside lower left", frameon=False, fontsize=7))
    return figure, notes


def _panel(rows: Sequence[Row], columns: Sequence[str], title: str, i: int) -> Panel:
    """`i` keeps the ids of several SVGs on one page apart."""
    figure, notes = draw_curves(rows, columns)
    return Panel(title, to_svg(figure, f"{title} over training", f"panel{i}-"), "; ".join(notes))


def mean_curve(seeds: Sequence[pd.Series]) -> pd.Series:
    """Mean over seeds where all of them have numbers, interpolated linearly between logging events."""
    grid, values = _aligned(seeds)
    return pd.Series(np.mean(values, axis=0), index=grid)


def band_curve(seeds: Sequence[pd.Series]) -> pd.Series:
    """Half the width of the 95 % confidence interval of `mean_curve`, by Student's t. Needs two seeds."""
    grid, values = _aligned(seeds)
    error = np.std(values, axis=0, ddof=1) / np.sqrt(len(seeds))
    return pd.Series(quantile(0.95, len(seeds) - 1) * error, index=grid)


def thin(curve: pd.Series, points: int = _POINTS) -> pd.Series:
    """At most `points` points: means of equally long runs of neighbours, in value and clock."""
    if len(curve) <= points:
        return curve
    clock = np.array_split(curve.index.to_numpy(dtype=float), points)
    values = np.array_split(curve.to_numpy(dtype=float), points)
    return pd.Series([part.mean() for part in values], index=[part.mean() for part in clock])


def _aligned(seeds: Sequence[pd.Series]) -> tuple[np.ndarray, np.ndarray]:
    """The clock where all seeds have numbers (N,), and their values there (seeds, N)."""
    start, end = max(seed.index[0] for seed in seeds), min(seed.index[-1] for seed in seeds)
    grid = np.unique(np.concatenate([seed.index.to_numpy(dtype=float) for seed in seeds]))
    grid = grid[(grid >= start) & (grid <= end)]
    return grid, np.stack([np.interp(grid, s.index.to_numpy(dtype=float), s.to_numpy()) for s in seeds])


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
        mean = mean_curve(seeds)
        if len(seeds) >= BAND_SEEDS and len(mean) > 1:
            centre, half = thin(mean), thin(band_curve(seeds)).to_numpy()
            low, high = centre.to_numpy() - half, centre.to_numpy() + half
            axes.fill_between(centre.index, low, high, color=look["color"], alpha=0.15, linewidth=0)
        for seed in seeds:
            draw(seed, linewidth=0.7, alpha=0.45)
        seeds = [mean] if len(mean) else []
    for seed in seeds:
        draw(seed, linewidth=1.7)


def _scale(axes: Axes, values: np.ndarray) -> list[str]:
    """Choose the vertical axis; returns what a reader must know of it."""
    low, high = values.min(), values.max()
    if low > 0 and high / low > 30:
        axes.set_yscale("log")
        axes.set_ylim(low / (high / low) ** 0.05, high * (high / low) ** 0.05)
        return ["logarithmic axis"]
    inner_low, inner_high = np.percentile(values, [1, 99])
    inner = inner_high - inner_low
    if inner > 0 and high - low > 20 * inner:
        axes.set_ylim(inner_low - 0.2 * inner, inner_high + 0.2 * inner)
        return [f"axis cut at the 1st and 99th percentile, values reach from {low:.3g} to {high:.3g}"]
    # The curves choose the axis: the band of few seeds is wide and may leave it.
    room = 0.25 * (high - low) or 0.05 * abs(high) or 1.0
    axes.set_ylim(low - room, high + room)
    return []
