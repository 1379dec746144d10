"""A sample wall as a still for papers: a line per method, a column per moment of the clips."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from matplotlib.figure import Figure

from vgen.report.compare import Row
from vgen.report.vector import style
from vgen.report.videos import Wall

MOMENTS = 4


def draw_wall(rows: Sequence[Row], wall: Wall) -> Figure | None:
    """Evenly spaced frames of every method's sample; None if no file of the wall can be decoded."""
    strips = []
    for video in wall.videos:
        frames = _frames(video.file)
        if len(frames):
            places = np.linspace(0, len(frames) - 1, min(MOMENTS, len(frames))).round().astype(int)
            strips.append((rows[video.row].name, video.caption, places, frames[places]))
    if not strips:
        return None
    columns = max(len(places) for _, _, places, _ in strips)
    with style():
        figure = Figure(figsize=(1.7 * columns, 2.0 * len(strips)), layout="constrained")
        grid = figure.subplots(len(strips), columns, squeeze=False)
        for line, (name, caption, places, frames) in zip(grid, strips, strict=True):
            for axes in line:
                axes.set_axis_off()
            for axes, place, frame in zip(line, places, frames, strict=False):
                axes.imshow(frame, interpolation="nearest")
                axes.text(0, -0.02, f"frame {place}", transform=axes.transAxes, va="top", fontsize=6)
            line[0].set_title(
                "\n".join(textwrap.wrap(f"{name}, {caption}", 24 * columns)),
                loc="left",
                fontsize=7,
                parse_math=False,
            )
    return figure


def _frames(file: Path) -> np.ndarray:
    """(T, H, W, 3) uint8; empty for a file that is no video."""
    try:
        with av.open(str(file)) as container:
            return np.array([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    except (OSError, ValueError, IndexError):  # PyAV's errors derive from these
        return np.empty((0, 0, 0, 3), np.uint8)
