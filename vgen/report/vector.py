"""Figures as SVG that takes its ink from the page, so that it is readable in light and dark, and as PDF."""

import io
import logging
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from vgen.files import replacing

INK = "#010203"  # stands for the page's text colour until the SVG is written


def style() -> AbstractContextManager[None]:
    """To draw and to write under."""
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "vgen",
        "pdf.fonttype": 42,  # text stays text
        "font.family": "sans-serif",
        "font.size": 9,
    }
    return matplotlib.rc_context(settings)


def to_svg(figure: Figure, label: str, prefix: str) -> str:
    """An element of a page: no prologue, no outside name, ids that begin with `prefix`, the page's ink."""
    file = io.StringIO()
    with style():
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(xmlns(:\w+)?|version)="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}', svg).replace("url(#", f"url(#{prefix}")
    svg = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", svg, count=1)
    label = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    return svg.replace(INK, "currentColor")


def write_pdf(figure: Figure, path: Path) -> None:
    """The same bytes for the same figure."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # else it tells of every glyph it embeds
    with style(), replacing(path) as partial:
        FigureCanvasPdf(figure).print_pdf(partial, metadata={"CreationDate": None})


def dress(axes: Axes) -> None:
    """Two axes in the page's ink and a faint grid."""
    axes.tick_params(colors=INK, which="both", length=3)
    axes.grid(color=INK, alpha=0.12, linewidth=0.6)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)


def plain(legend: Legend) -> None:
    """Users' names as they are, even with dollar signs."""
    for text in legend.get_texts():
        text.set_parse_math(False)
