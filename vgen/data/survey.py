"""What a set of videos is like, for people to look at: raw videos are decoded for it, packed ones are read."""

import io
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from vgen.data.crew import decode_all
from vgen.data.lookalike import Look, Pair, alike, look_at, moments, same
from vgen.data.pack import Pack, Packed
from vgen.data.packed import PackedVideos
from vgen.data.plan import Plan
from vgen.data.source import Skipped

STRIP = 6  # frames of a video that are shown


@dataclass(frozen=True)
class Seen:
    """One video: its row, what it looks like, a strip of its frames as JPEG, and whether these do not differ."""

    video: Packed
    look: Look
    strip: bytes
    still: bool


@dataclass(frozen=True)
class Survey:
    """A set of videos.

    Attributes:
        path: where it lies.
        found: what lies there, in one line.
        size: height and width at which it was looked at.
        facts: what `dataset.json` says beyond that (licence, source, ...); empty of raw videos.
        equal: groups of videos with the same pixels.
        near: pairs that look alike beyond that.
    """

    path: str
    found: str
    size: tuple[int, int]
    facts: dict[str, Any]
    classes: Sequence[str]
    seen: Sequence[Seen]
    skipped: Sequence[Skipped]
    equal: Sequence[Sequence[int]]
    near: Sequence[Pair]


def survey_pack(source: PackedVideos) -> Survey:
    """Look at all of a packed dataset; at six frames of each video."""
    pack = Pack(source.path, source.index)
    bar = tqdm(pack.videos, desc="Looking", unit="video", disable=None)
    seen = [_see(video, lambda indices, video=video: pack.read(video, indices)) for video in bar]
    told = (
        "name",
        "source",
        "licence",
        "citation",
        "preset",
        "settings",
        "fingerprint",
        "vgen",
        "created",
        "key",
    )
    facts = {key: source.index[key] for key in told if source.index.get(key) is not None}
    facts["shards"] = f"{len(pack.shards)}, {sum(shard.bytes for shard in pack.shards) / 1e6:,.1f} MB"
    found = source.index.get("found", source.describe())
    return _survey(source.path, found, pack.frame[:2], facts, source.classes, seen, pack.skipped)


def survey_plan(plan: Plan, *, processes: int, patience: float) -> Survey:
    """Look at raw videos, decoded and resized as they would be packed, one after the other."""
    seen: list[Seen] = []
    skipped = list(plan.refused)
    frame, numbers = plan.frame, range(len(plan))
    with tempfile.TemporaryDirectory(prefix="vgen") as folder:
        decoded = decode_all(plan, numbers, Path(folder), processes=processes, patience=patience)
        bar = tqdm(total=len(plan), desc="Looking", unit="video", disable=None)
        with bar, closing(decoded):
            for number, file, result in decoded:
                if isinstance(result, str):
                    skipped.append(Skipped(plan.name(number), result))
                else:
                    video = result.packed(
                        plan.name(number), plan.label(number), start=0, split=plan.split(number)
                    )
                    pixels = np.memmap(file, np.uint8, "r", shape=(result.frames, *frame))
                    seen.append(_see(video, lambda indices, pixels=pixels: pixels[indices]))
                file.unlink(missing_ok=True)
                bar.update()
    path = str(plan.parts[0].source.path)
    return _survey(path, plan.describe(), frame[:2], {}, plan.classes, seen, skipped)


def _survey(
    path: str,
    found: str,
    size: tuple[int, int],
    facts: dict[str, Any],
    classes: Sequence[str],
    seen: list[Seen],
    skipped: Sequence[Skipped],
) -> Survey:
    equal = same([one.video.hash for one in seen])
    repeated = {i for group in equal for i in group[1:]}
    near = [pair for pair in alike([one.look for one in seen]) if not {pair.one, pair.two} & repeated]
    return Survey(path, found, size, facts, classes, seen, skipped, equal, near)


def _see(video: Packed, read: Callable[[np.ndarray], np.ndarray]) -> Seen:
    shown = read(np.linspace(0, video.frames - 1, min(STRIP, video.frames)).round().astype(int))
    pixels = np.concatenate(list(shown), axis=1)
    strip = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(strip, "jpeg", quality=85)
    still = video.frames > 1 and bool((shown == shown[0]).all())
    return Seen(video, look_at(read(moments(video.frames))), strip.getvalue(), still)
