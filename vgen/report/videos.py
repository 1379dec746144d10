"""Sample walls: every method side by side, from the same latents, at the same point of training."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vgen.report.compare import Row
from vgen.report.runs import Run

BUDGET = 40_000_000  # bytes of all embedded videos, as base64


@dataclass(frozen=True)
class Video:
    """One sample of a run of row `row`; `data` is base64, or "" with the reason why it is not shown."""

    row: int
    run: Run
    file: Path
    caption: str
    data: str
    reason: str = ""


@dataclass(frozen=True)
class Wall:
    """Samples of all rows whose latents were drawn from this seed."""

    title: str
    videos: list[Video]


def common_clock(rows: Sequence[Row]) -> float | None:
    """The last kclips at which every row that has samples has one; None if only untrained ones coincide."""
    clocks = [{_clock(file) for run in row.runs for file in run.samples} for row in rows]
    shared = set.intersection(*(own for own in clocks if own)) if any(clocks) else set()
    return max((clock for clock in shared if clock is not None and clock > 0), default=None)


def choose_walls(rows: Sequence[Row], budget: int = BUDGET) -> list[Wall]:
    """One wall per seed with the samples at `common_clock`, the latest of a run that has none there.

    The first run of every row is embedded before the second of any: a small budget still shows all methods.
    """
    common = common_clock(rows)
    walls: dict[str, list[Video]] = {}
    spent = 0
    for place in range(max((len(row.runs) for row in rows), default=0)):
        for r, row in enumerate(rows):
            if place >= len(row.runs) or not row.runs[place].samples:
                continue
            run = row.runs[place]
            there = [file for file in run.samples if common is not None and _clock(file) == common]
            file = (there or run.samples)[-1]
            seed = sampling_seed(run)
            title = f"seed {seed}" if seed is not None else "no seed"
            caption, cost = _caption(file, run), (file.stat().st_size + 2) // 3 * 4
            data = reason = ""
            if cost == 0:
                reason = f"{file.name} is empty"
            elif spent + cost > budget:
                reason = f"not embedded, {file.stat().st_size / 1e6:.1f} MB"
            else:
                spent += cost
                data = base64.b64encode(file.read_bytes()).decode()
            walls.setdefault(title, []).append(Video(r, run, file, caption, data, reason))
    return [Wall(title, sorted(videos, key=lambda v: v.row)) for title, videos in walls.items()]


def sampling_seed(run: Run) -> Any:
    """What the latents of its samples were drawn from: the run's seed, unless the callback has one of its own."""
    node: Any = run.config
    for key in ("callback", "samples", "seed"):
        node = node.get(key) if isinstance(node, dict) else None
    return run.seed if node is None else node


def _caption(file: Path, run: Run) -> str:
    clock, last = _clock(file), _clock(run.samples[-1])
    if clock is None:
        return file.stem
    trained = f" (its last are at {last:g})" if last is not None and last > clock else ""
    return f"{clock:g} kclips{trained}"


def _clock(file: Path) -> float | None:
    try:
        return float(file.stem)
    except ValueError:
        return None
