"""A search in two panels: how the best value came down (or up), and which settings mattered."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vgen.report.figure import PALETTE, Panel
from vgen.report.study import Study
from vgen.report.vector import INK, dress, style, to_svg


def study_panels(study: Study, i: int) -> list[Panel]:
    """`i` keeps the ids of several studies on one page apart."""
    panels = []
    for title, figure in study_figures(study).items():
        note = _outside(study) if title == "history" else ""
        panels.append(Panel(title, to_svg(figure, f"{title} of {study.name}", f"study{i}-{title}-"), note))
    return panels


def study_figures(study: Study) -> dict[str, Figure]:
    """Title -> figure, of what there is to draw."""
    figures = {}
    if study.complete:
        figures["history"] = _draw_history(study)
    if study.importance:
        figures["importance"] = _draw_importance(study)
    return figures


def _draw_history(study: Study) -> Figure:
    """Points: complete trials; line: the best so far; crosses on the axis: failed ones."""
    done = sorted(study.complete, key=lambda trial: trial.number)
    numbers, values = [t.number for t in done], np.array([t.value for t in done])
    best = (np.minimum if study.mode == "min" else np.maximum).accumulate(values)
    failed = [trial.number for trial in study.trials if trial.state == "fail"]
    with style():
        figure = Figure(figsize=(4.6, 2.9), layout="constrained", facecolor="none")
        axes = figure.add_subplot()
        axes.scatter(numbers, values, s=14, color=PALETTE[0], label="trial")
        axes.step(numbers, best, where="post", color=PALETTE[1], linewidth=1.7, label="best so far")
        low, high = _limits(values)
        axes.set_ylim(low, high)
        axes.scatter(failed, [low] * len(failed), s=22, marker="x", color=INK, clip_on=False, label="failed")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        dress(axes)
        axes.set_xlabel("trial", color=INK)
        axes.set_ylabel(study.metric, color=INK, parse_math=False)
        handles, labels = axes.get_legend_handles_labels()
        shown = len(handles) if failed else len(handles) - 1
        look = {"frameon": False, "fontsize": 8, "labelcolor": INK}
        axes.legend(handles[:shown], labels[:shown], **look)
    return figure


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Axis that one broken trial does not flatten: whiskers of a box plot."""
    first, third = np.percentile(values, [25, 75])
    reach = 3 * (third - first)
    low, high = max(values.min(), first - reach), min(values.max(), third + reach)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return float(low - room), float(high + room)


def _outside(study: Study) -> str:
    values = np.array([trial.value for trial in study.complete])
    low, high = _limits(values)
    count = int(((values < low) | (values > high)).sum())
    return (
        f"{count} outside of the axis, values reach from {values.min():.3g} to {values.max():.3g}"
        if count
        else ""
    )


def _draw_importance(study: Study) -> Figure:
    keys, shares = list(reversed(study.importance)), list(reversed(study.importance.values()))
    with style():
        figure = Figure(
            figsize=(4.6, max(1.2, 0.6 + 0.28 * len(keys))), layout="constrained", facecolor="none"
        )
        axes = figure.add_subplot()
        axes.barh(range(len(keys)), shares, color=PALETTE[0], height=0.6)
        axes.set_yticks(range(len(keys)), keys)
        for text in axes.get_yticklabels():
            text.set_parse_math(False)
        for place, share in enumerate(shares):
            axes.text(share, place, f" {share:.0%}", va="center", fontsize=8, color=INK)
        axes.margins(x=0.12)
        dress(axes)
        axes.grid(False)
        axes.set_xlabel("share of importance (PED-ANOVA)", color=INK)
    return figure
