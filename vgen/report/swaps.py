"""Motion x content grids: for each method rows that share a content code and columns that share a motion code."""

import base64
import math
import statistics
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from vgen.files import replacing
from vgen.media import tile, write_mp4
from vgen.report.compare import Row
from vgen.report.curves import one_line
from vgen.report.table import direction, measures_of
from vgen.report.vector import style, write_pdf

MOMENTS = 4  # frames of a clip in a still
BUDGET = 20_000_000  # bytes of all embedded grids, as base64
MOST = 12  # methods with a grid
_FPS = 8
_GAP = 6  # pixels between the strips of a still


@dataclass(frozen=True)
class Codes:
    """What a trained generator makes of its codes.

    Attributes:
        latents: part of the latent -> digest of what it draws from a fixed seed. Generators with equal digests draw
            the same latents from every seed.
        grid: (content codes, motion codes, T, H, W, C) uint8; None where the latent knows no motion.
        reason: why there is no grid.
        checkpoint: name of the file and how long it was trained.
    """

    latents: dict[str, str]
    grid: np.ndarray | None
    reason: str = ""
    checkpoint: str = ""


ReadCodes = Callable[[Path], Codes]  # run folder -> its codes; ValueError or OSError says why there are none


@dataclass(frozen=True)
class SwapGrid:
    """The grid of row number `row`; `data` is an mp4 as base64, "" if there is none or it is too large."""

    row: int
    codes: Codes | None
    reason: str
    data: str = ""

    @property
    def pixels(self) -> np.ndarray | None:
        return None if self.codes is None else self.codes.grid


def read_swaps(rows: Sequence[Row], read: ReadCodes) -> list[SwapGrid]:
    """One per row, from its first run whose checkpoint can be read, else with the reason why none can.

    Of many rows only the MOST best by the first measure are looked at.
    """
    chosen = _best(rows)
    return [
        _read(r, row, read) if row in chosen else SwapGrid(r, None, f"not among the {MOST} best methods")
        for r, row in enumerate(rows)
    ]


def _best(rows: Sequence[Row]) -> Sequence[Row]:
    measure = next(iter(measures_of(rows)), None)
    if len(rows) <= MOST or measure is None:
        return rows[:MOST]
    sign = -1 if direction(rows, measure) else 1

    def place(row: Row) -> float:
        values = [run.scores[measure].value for run in row.runs if measure in run.scores]
        return sign * statistics.fmean(values) if values else math.inf

    return sorted(rows, key=place)[:MOST]


def _read(r: int, row: Row, read: ReadCodes) -> SwapGrid:
    reason = ""
    for run in row.runs:
        if "wandb" in run.provenance:
            reason = reason or "read from W&B, where its checkpoint is not"
            continue
        try:
            codes = read(run.path)
        except FileNotFoundError:
            reason = reason or "it has no checkpoint"
        except Exception as error:  # of anybody's generator: one that fails must not end the report
            reason = reason or one_line(error)
        else:
            return SwapGrid(r, codes, codes.reason)
    return SwapGrid(r, None, reason)


def write_swaps(
    rows: Sequence[Row], swaps: Sequence[SwapGrid], folder: Path
) -> tuple[list[SwapGrid], list[Path]]:
    """motion_content_<row>.mp4, .png and .pdf; the grids come back with their mp4 inside, as far as BUDGET goes."""
    for stale in folder.glob("motion_content_*"):
        stale.unlink()
    filled, paths, spent = [], [], 0
    for swap in swaps:
        pixels = swap.pixels
        if pixels is None:
            filled.append(swap)
            continue
        stem = folder / f"motion_content_{swap.row + 1}"
        film, image, page = (stem.with_suffix(suffix) for suffix in (".mp4", ".png", ".pdf"))
        write_mp4(film, tile(pixels.reshape(-1, *pixels.shape[2:]), columns=pixels.shape[1]), fps=_FPS)
        write_still(image, pixels)
        write_pdf(_figure(draw_still(pixels), rows[swap.row].name), page)
        data = base64.b64encode(film.read_bytes()).decode()
        spent += len(data)
        fits = spent <= BUDGET
        reason = "" if fits else f"not embedded, see figures/{film.name}"
        filled.append(SwapGrid(swap.row, swap.codes, reason, data if fits else ""))
        paths += [film, image, page]
    return filled, paths


def write_still(file: Path, pixels: np.ndarray) -> None:
    """`draw_still` as a PNG file."""
    with replacing(file) as partial:
        Image.fromarray(draw_still(pixels)).save(partial)


def draw_still(pixels: np.ndarray) -> np.ndarray:
    """The grid (content, motion, T, H, W, C) as one picture (H', W', 3): every clip is a strip of its moments."""
    frames = pixels.shape[2]
    places = np.linspace(0, frames - 1, min(MOMENTS, frames)).round().astype(int)
    strips = np.concatenate([pixels[:, :, place] for place in places], axis=3)  # (content, motion, H, M W, C)
    still = tile(strips.reshape(-1, 1, *strips.shape[2:]), columns=pixels.shape[1], pad=_GAP)[0]
    return np.broadcast_to(still, (*still.shape[:2], 3)).copy()


def _figure(still: np.ndarray, name: str) -> Figure:
    height, width = still.shape[:2]
    with style():
        figure = Figure(figsize=(7.0, 7.0 * height / width + 0.5), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(still, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_title("\n".join(textwrap.wrap(name, 110)), loc="left", fontsize=8, parse_math=False)
        axes.set_xlabel("motion code", fontsize=8)
        axes.set_ylabel("content code", fontsize=8)
    return figure


def latent_notes(rows: Sequence[Row], swaps: Sequence[SwapGrid]) -> list[str]:
    """Whether one seed gives all methods the same latents, as far as that could be checked."""
    read = {rows[swap.row].name: swap.codes.latents for swap in swaps if swap.codes is not None}
    notes = []
    if len(read) > 1:
        groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for name, latents in read.items():
            groups.setdefault(tuple(sorted(latents.items())), []).append(name)
        common = set.intersection(*(set(latents.items()) for latents in read.values()))
        parts = ", ".join(sorted(part for part, _ in common))
        if len(groups) == 1:
            notes.append(f"Checked: one seed gives all methods the same latents ({parts}), bit for bit.")
        else:
            notes.append(
                "The methods' latents differ in shape or parts, so clips in one place answer to different codes: "
                + "; ".join(
                    f"{', '.join(part for part, _ in key)}: {_quoted(those)}" for key, those in groups.items()
                )
                + (f". The same for all: {parts}." if parts else ". No part is the same for all.")
            )
    unread: dict[str, list[str]] = {}
    for swap in swaps:
        if swap.codes is None:
            unread.setdefault(swap.reason, []).append(rows[swap.row].name)
    for reason, those in unread.items():
        whose = "all methods" if len(those) == len(swaps) > 1 else _quoted(those)
        notes.append(f"Latents not checked: {whose}: {reason}")
    return notes


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)
