"""The page of a set of videos: what is in it, what is wrong with it, and what it looks like."""

import base64
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from statistics import median

import numpy as np
from jinja2 import Environment, StrictUndefined

from vgen.data.survey import Seen, Survey
from vgen.files import replacing

SHEET = 96  # videos on the contact sheet
PAIRS, BROKEN, BARS = 24, 200, 120  # of look-alikes, broken files and classes that are listed
BINS = 16
CLIPS = (16, 32, 64, 128)  # frames that papers train and evaluate on


@dataclass(frozen=True)
class Bar:
    """One bar: `share` of the longest, 0 to 100."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class Tile:
    """One video on the page; `data` is its strip as base64."""

    name: str
    facts: str
    data: str


def write_page(survey: Survey, output: Path) -> None:
    """One HTML file that needs nothing else."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        (files("vgen.report") / "dataset.html.jinja").read_text(encoding="utf-8")
    )
    videos = [one.video for one in survey.seen]
    lengths = [video.frames for video in videos]
    rates = [video.fps for video in videos]
    seconds = [video.frames / video.fps for video in videos if video.fps]
    text = template.render(
        title=Path(survey.path).name,
        path=survey.path,
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        found=survey.found,
        size=f"{survey.size[1]}x{survey.size[0]}",
        tiles=_tiles(survey, lengths, seconds),
        remarks=remarks(survey),
        lengths=histogram(lengths),
        clips=[(clip, sum(length >= clip for length in lengths)) for clip in CLIPS],
        count=len(videos),
        sizes=bars(Counter(video.stored for video in videos)),
        rates=bars(Counter("not said" if rate is None else f"{rate:g} fps" for rate in rates)),
        classes=_class_bars(survey),
        class_count=len(survey.classes),
        splits=bars(Counter(video.split or "no split" for video in videos)),
        equal=[[_tile(survey, survey.seen[i]) for i in group] for group in survey.equal[:PAIRS]],
        equal_count=sum(len(group) - 1 for group in survey.equal),
        near=[
            (_tile(survey, survey.seen[pair.one]), _tile(survey, survey.seen[pair.two]), pair)
            for pair in survey.near[:PAIRS]
        ],
        near_count=len(survey.near),
        broken=survey.skipped[:BROKEN],
        broken_count=len(survey.skipped),
        sheet=[_tile(survey, one) for one in contact_sheet(survey)],
        facts={
            key: value if isinstance(value, str) else json.dumps(value) for key, value in survey.facts.items()
        },
    )
    with replacing(output) as partial:
        partial.write_text(text, encoding="utf-8")


def remarks(survey: Survey) -> list[str]:
    """What somebody who trains on these videos should know."""
    videos = [one.video for one in survey.seen]
    said = []
    if survey.skipped:
        said.append(f"{len(survey.skipped):,} files cannot be used: see below.")
    repeated = sum(len(group) - 1 for group in survey.equal)
    if repeated:
        said.append(f"{repeated:,} videos repeat another, pixel for pixel.")
    if survey.near:
        mirrored = sum(pair.mirrored for pair in survey.near)
        said.append(f"{len(survey.near):,} pairs of videos look alike, {mirrored:,} of them mirrored.")
    leaks = [group for group in survey.equal if len({videos[i].split for i in group}) > 1]
    leaks += [
        [pair.one, pair.two] for pair in survey.near if videos[pair.one].split != videos[pair.two].split
    ]
    if leaks:
        said.append(
            f"{len(leaks):,} videos of one split have their like in another: a test set that was trained on."
        )
    disagree = [group for group in survey.equal if len({videos[i].label for i in group}) > 1]
    if disagree:
        said.append(f"{len(disagree):,} videos lie in several classes at once.")
    still = [one.video.name for one in survey.seen if one.still]
    if still:
        said.append(f"{len(still):,} videos do not move ({still[0]}{', ...' if len(still) > 1 else ''}).")
    rates = {video.fps for video in videos if video.fps is not None}
    if rates and max(rates) > 1.01 * min(rates):
        said.append(
            f"Frame rates differ ({min(rates):g} to {max(rates):g} fps): equal strides are not equal times."
        )
    small = sum(min(map(int, video.stored.split("x"))) < min(survey.size) for video in videos)
    if small:
        said.append(f"{small:,} videos are smaller than {min(survey.size)} pixels and were enlarged.")
    counts = Counter(video.label for video in videos)
    if len(survey.classes) > 1 and max(counts.values()) > 2 * min(
        counts.get(i, 0) for i in range(len(survey.classes))
    ):
        said.append("The largest class has more than twice the videos of the smallest.")
    return said


def histogram(lengths: Sequence[int]) -> list[Bar]:
    """Bars of equal width over the lengths; over their logarithms where the longest is 20 times the shortest."""
    if not lengths:
        return []
    low, high = min(lengths), max(lengths)
    if high - low < BINS:
        counted = Counter(lengths)
        return _scaled([(str(length), counted[length]) for length in range(low, high + 1)])
    edges = np.geomspace(low, high + 1, BINS + 1) if high > 20 * low else np.linspace(low, high + 1, BINS + 1)
    edges = np.unique(np.ceil(edges).astype(int))
    edges[-1] = high + 1
    counts, _ = np.histogram(lengths, edges)
    names = [
        str(start) if start == stop - 1 else f"{start}\N{EN DASH}{stop - 1}"
        for start, stop in itertools.pairwise(edges)
    ]
    return _scaled(list(zip(names, map(int, counts), strict=True)))


def bars(counts: Counter[str], most: int = 12) -> list[Bar]:
    """The most frequent, then all others as one."""
    listed = counts.most_common(most)
    others = counts.total() - sum(count for _, count in listed)
    return _scaled([*listed, *([(f"{len(counts) - most} others", others)] if others else [])])


def contact_sheet(survey: Survey) -> list[Seen]:
    """At most 96 videos: of every class in turn, spread over its videos."""
    of_class: dict[int | None, list[Seen]] = {}
    for one in survey.seen:
        of_class.setdefault(one.video.label, []).append(one)
    each = max(1, SHEET // max(1, len(of_class)))
    chosen = []
    for label in sorted(of_class, key=lambda label: -1 if label is None else label):
        videos = of_class[label]
        places = np.linspace(0, len(videos) - 1, min(each, len(videos))).round().astype(int)
        chosen += [videos[place] for place in places]
    return chosen[:SHEET]


def _tiles(survey: Survey, lengths: Sequence[int], seconds: Sequence[float]) -> list[tuple[str, str]]:
    tiles = [("videos", f"{len(lengths):,}"), ("frames", f"{sum(lengths):,}")]
    if lengths:
        tiles.append(("frames per video", f"{min(lengths):,} / {median(lengths):,g} / {max(lengths):,}"))
    if seconds:
        total = sum(seconds)
        tiles.append(("duration", f"{total / 3600:,.1f} h" if total >= 3600 else f"{total / 60:,.1f} min"))
    if survey.classes:
        tiles.append(("classes", f"{len(survey.classes):,}"))
    tiles.append(("cannot be used", f"{len(survey.skipped):,}"))
    return tiles


def _class_bars(survey: Survey) -> list[Bar]:
    counts = Counter(one.video.label for one in survey.seen)
    return _scaled([(name, counts.get(i, 0)) for i, name in enumerate(survey.classes)][:BARS])


def _scaled(counted: Sequence[tuple[str, int]]) -> list[Bar]:
    most = max((count for _, count in counted), default=1) or 1
    return [Bar(name, count, 100 * count / most) for name, count in counted]


def _tile(survey: Survey, one: Seen) -> Tile:
    video = one.video
    rate = f", {video.fps:g} fps" if video.fps else ""
    split = f", {video.split}" if video.split else ""
    facts = f"{video.frames} frames{rate}, {video.stored}{split}"
    return Tile(video.name, facts, base64.b64encode(one.strip).decode())
