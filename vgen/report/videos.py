"""Which sample videos go into the page, within its size budget."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from vgen.report.compare import Row
from vgen.report.runs import Run

BUDGET = 40_000_000  # bytes of all embedded videos, as base64


@dataclass(frozen=True)
class Video:
    """The latest sample of a run; `data` is base64, or "" with the reason why it is not shown."""

    run: Run
    caption: str
    data: str
    reason: str = ""


def choose_videos(rows: Sequence[Row], budget: int = BUDGET) -> list[list[Video]]:
    """The latest video of each run that has samples, per row.

    The first seed of every row comes before the second of any: a small budget still shows all methods.
    """
    chosen: list[list[Video]] = [[] for _ in rows]
    spent = 0
    for seed in range(max((len(row.runs) for row in rows), default=0)):
        for row, videos in zip(rows, chosen, strict=True):
            if seed >= len(row.runs) or not row.runs[seed].samples:
                continue
            run = row.runs[seed]
            file = run.samples[-1]
            caption = f"seed {run.seed}" if run.seed is not None else run.name
            caption += f", {_clock(file.stem)}"
            cost = (file.stat().st_size + 2) // 3 * 4
            if cost == 0:
                videos.append(Video(run, caption, "", f"{file.name} is empty"))
            elif spent + cost > budget:
                videos.append(Video(run, caption, "", f"not embedded, {file.stat().st_size / 1e6:.1f} MB"))
            else:
                spent += cost
                videos.append(Video(run, caption, base64.b64encode(file.read_bytes()).decode()))
    return chosen


def _clock(stem: str) -> str:
    try:
        return f"{float(stem):g} kclips"
    except ValueError:
        return stem
