"""Two sets of clips in, one result with every metric on every extractor out: the engine of `vgen evaluate`."""

import math
import platform
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

from vgen.clip import Extractor
from vgen.protocol.concerns import concerns
from vgen.protocol.contract import ClipSet, Estimate, SetMetric
from vgen.protocol.features import Features, extract
from vgen.protocol.pairing import Terms, check_sets_suffice, extractors_of, listed, pairs_of
from vgen.protocol.stamp import stamp
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore


class Unmeasured(ValueError):
    """None of the metrics could be measured.

    Attributes:
        failed: full name -> why.
    """

    def __init__(self, failed: Mapping[str, str]) -> None:
        super().__init__("; ".join(dict.fromkeys(failed.values())))
        self.failed = dict(failed)


@dataclass(frozen=True)
class Side:
    """A set of clips and what the extractors made of it.

    Attributes:
        clips: the set.
        features: name of an extractor -> features of all clips.
        seconds: that reading and extracting took.
    """

    clips: ClipSet
    features: Mapping[str, Features]
    seconds: float = 0.0

    @property
    def any(self) -> Features:
        """The features of some extractor, for what they say of the clips."""
        return next(iter(self.features.values()))


def score(
    real: ClipSet,
    fake: ClipSet,
    *,
    extractors: Terms,
    metrics: Terms,
    protocol: Standard,
    store: FeatureStore | None = None,
    batch: int = 16,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
    progress: bool = False,
) -> dict[str, Any]:
    """Every metric of fake against real clips; the result is the content of metrics.json.

    Args:
        real, fake: clips of the frames and size of the protocol.
        extractors, metrics: lists of them, or named terms as the configuration has.
        store: where features are looked up and kept; None to do without.
        batch: clips that pass an extractor at once.
        rank, world: of this process; every one of them has to call, and gets the same result.

    Raises:
        ValueError: no clips, clips of another shape than the protocol or the other side has, or extractors,
            metrics and a protocol that do not go together.
    """
    pairs = pairs_of(extractors, metrics, protocol)
    check_sets_suffice(pairs)
    check_alike(real, fake)
    used = extractors_of(pairs)
    sides = [
        look(
            clips, used, protocol=protocol, side=side, store=store, batch=batch, device=device, rank=rank,
            world=world, progress=progress,
        )
        for side, clips in (("real", real), ("fake", fake))
    ]  # fmt: skip
    return compare(*sides, extractors=used, metrics=metrics, protocol=protocol)


def look(
    clips: ClipSet,
    extractors: Terms,
    *,
    protocol: Standard,
    side: str,
    store: FeatureStore | None = None,
    batch: int = 16,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
    progress: bool = False,
) -> Side:
    """One side of a comparison; keep the real one to score a training run many times."""
    started = time.perf_counter()
    features = extract(
        clips, listed(extractors), store=store, batch=batch, device=device, rank=rank, world=world,
        progress=progress, side=side,
    )  # fmt: skip
    found = Side(clips, features, time.perf_counter() - started)
    _check_shape(found.any.shape, protocol, side)
    return found


def compare(
    real: Side,
    fake: Side,
    *,
    extractors: Terms,
    metrics: Terms,
    protocol: Standard,
    redrawn: Mapping[str, Mapping[str, Tensor]] | None = None,
) -> dict[str, Any]:
    """`score` for features that are there already.

    `redrawn`, full name -> part of the latent -> features, is for metrics that need the generator. A metric that
    cannot be measured on these clips does not cost the others: "failed" has its full name and why.

    Raises `Unmeasured` if none could.
    """
    started = time.perf_counter()
    pairs = pairs_of(extractors, metrics, protocol)
    if redrawn is None:
        check_sets_suffice(pairs)
    if real.any.shape != fake.any.shape:
        raise ValueError(
            f"real clips are {_size(real)}, fake clips {_size(fake)}; give both one size and length"
        )
    groups = repeated(len(fake.clips), protocol)
    compared = len(real.clips), len(groups[0])
    warnings = concerns(real.any, real.clips.info, fake.any, fake.clips.info, protocol)
    results: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for metric, extractor in pairs:
        try:
            if getattr(metric, "needs_generator", False):
                said, entries = [], _of_parts(metric, (redrawn or {})[f"{metric.names[0]}/{extractor.name}"])
            else:
                said, entries = _measure(metric, extractor, real, fake, groups)
        except ValueError as error:
            named = str(error).startswith(metric.names)
            why = str(error) if named else f"{metric.names[0]}/{extractor.name}: {error}"
            failed |= {f"{name}/{extractor.name}": why for name in metric.names}
            continue
        warnings += [f"{extractor.name}: {line}" for line in said]
        for name, entry in entries.items():
            results[f"{name}/{extractor.name}"] = entry | {
                "stamp": stamp(name, protocol, metric, extractor, clips=compared, repeats=len(groups)),
                "protocol": protocol.id(extractor, metric),
            }
    if not results:
        raise Unmeasured(failed)
    return {
        "metrics": results,
        "failed": failed,
        "protocol": {
            "name": protocol.name,
            "id": protocol.id(),
            "extractors": {extractor.name: _described(extractor) for extractor in listed(extractors)},
            **protocol.settings(),
        },
        "real": _side(real),
        "fake": _side(fake),
        "versions": versions(),
        "warnings": list(dict.fromkeys(warnings)),
        "seconds": {
            "real": round(real.seconds, 3),
            "fake": round(fake.seconds, 3),
            "metrics": round(time.perf_counter() - started, 3),
        },
    }


def check_alike(real: ClipSet, fake: ClipSet) -> None:
    """Raise ValueError, before any clip is read, if the sides are known to differ in size."""
    sizes = [(clips.info.get("width"), clips.info.get("height")) for clips in (real, fake)]
    if None not in (*sizes[0], *sizes[1]) and sizes[0] != sizes[1]:
        said = ["x".join(map(str, size)) for size in sizes]
        raise ValueError(
            f"real videos are {said[0]}, fake videos {said[1]}; give both one size (clip.size=...)"
        )


def repeated(clips: int, protocol: Standard) -> list[range]:
    """The fake clips of each repeat; without the last if it came out short, since it would be biased otherwise."""
    each = protocol.fakes or clips
    groups = [range(start, min(start + each, clips)) for start in range(0, clips, each)]
    return [group for group in groups if len(group) == len(groups[0])]


def versions(packages: Iterable[str] = ("vgen", "torch", "torchmetrics", "numpy")) -> dict[str, str]:
    """Versions of Python and of `packages`; by default of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _measure(
    metric: SetMetric, extractor: Extractor, real: Side, fake: Side, groups: Sequence[range]
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """What the metric warns of, and name -> entry of the result."""
    role, left, right = metric.reads, real.features[extractor.name], fake.features[extractor.name]
    estimates: list[Mapping[str, Estimate]] = []
    for group in groups:
        part = right.values[role][group.start : group.stop]
        if getattr(metric, "reads_labels", False):
            labels = _labels(real, metric, "real"), _labels(fake, metric, "fake")[group.start : group.stop]
            estimates.append(metric.measure_labelled(left.values[role], part, *labels))  # type: ignore[attr-defined]
        else:
            estimates.append(metric.measure(left.values[role], part))
    first = right.values[role][groups[0].start : groups[0].stop]
    said = metric.warnings(left.values[role], first)
    entries = {name: _entry([e[name] for e in estimates]) for name in metric.names}
    for name, entry in entries.items():
        entry["higher_is_better"] = metric.higher_is_better[name]
    return said, entries


def _of_parts(metric: Any, features: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    entries = {name: _entry([estimate]) for name, estimate in metric.measure_parts(features).items()}
    return {
        name: entry | {"higher_is_better": metric.higher_is_better[name]} for name, entry in entries.items()
    }


def _entry(estimates: list[Estimate]) -> dict[str, Any]:
    values = [estimate.value for estimate in estimates]
    entry: dict[str, Any] = {
        "value": statistics.fmean(values),
        # the real clips are the same in all repeats, so the error does not shrink with their number
        "standard_error": _mean([estimate.standard_error for estimate in estimates]),
        "bias_corrected": _mean([estimate.bias_corrected for estimate in estimates]),
    }
    real = _mean([estimate.real for estimate in estimates])
    if real is not None:
        entry["real"] = real
    if len(values) > 1:
        entry["repeats"] = {"values": values, "std": statistics.stdev(values)}
    return entry


def _mean(numbers: list[float | None]) -> float | None:
    known = [number for number in numbers if number is not None and math.isfinite(number)]
    return statistics.fmean(known) if known and len(known) == len(numbers) else None


def _labels(side: Side, metric: SetMetric, name: str) -> Tensor:
    if side.clips.labels is None:
        raise ValueError(
            f"{metric.names[0]} compares classes, and the {name} clips have none; put videos in one folder per class"
        )
    return side.clips.labels


def _check_shape(shape: tuple[int, ...], protocol: Standard, side: str) -> None:
    frames, height, width, _ = shape
    if frames != protocol.frames:
        raise ValueError(f"{side} clips have {frames} frames, the protocol says frames={protocol.frames}")
    if protocol.size is not None and min(height, width) != protocol.size:
        raise ValueError(f"{side} clips are {width}x{height}, the protocol says size={protocol.size}")


def _described(extractor: Extractor) -> dict[str, Any]:
    weights = getattr(extractor, "weights", None)
    return {"fingerprint": extractor.fingerprint} | (
        {"weights": weights} if isinstance(weights, dict) else {}
    )


def _side(side: Side) -> dict[str, Any]:
    return {
        **side.clips.info,
        "clips": len(side.clips),
        "size": [side.any.shape[2], side.any.shape[1]],
        "content": side.any.content,
        "from_cache": {name: features.cached for name, features in side.features.items()},
    }


def _size(side: Side) -> str:
    frames, height, width, channels = side.any.shape
    return f"{width}x{height} with {frames} frames and {channels} channels"
