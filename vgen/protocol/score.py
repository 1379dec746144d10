"""Two streams of clips in, one result with every metric out: the engine of `vgen evaluate`."""

import math
import platform
import statistics
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

from vgen.clip import Extractor
from vgen.protocol.contract import SetMetric
from vgen.protocol.features import Features, extract
from vgen.protocol.standard import Standard


def score(
    real: Iterable[Tensor],
    fake: Iterable[Tensor],
    *,
    extractor: Extractor,
    metrics: Mapping[str, SetMetric] | Iterable[SetMetric],
    protocol: Standard,
    device: torch.device | str = "cpu",
    progress: bool = False,
    real_info: Mapping[str, Any] | None = None,
    fake_info: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Every metric of fake against real clips; the result is the content of metrics.json.

    Each clip passes the extractor once. At most `protocol.count` real and `protocol.fake_count` fake clips are
    drawn from the iterables.

    Args:
        real, fake: batches of clips (B, T, H, W, C) uint8, of the frames and size of the protocol.
        metrics: the metrics, or named terms of them as the configuration has.
        real_info, fake_info: what is known of the sides ("source", "fingerprint"), copied into the result.

    Raises:
        ValueError: no clips, clips of another shape than the protocol or the other side has, or metrics that
            the protocol cannot serve.
    """
    metrics = _listed(metrics)
    protocol.check(extractor, metrics)
    real_features = extract(
        real, extractor, count=protocol.count, device=device, progress=progress, side="real"
    )
    check_shape(real_features, protocol, "real")
    fake_features = extract(
        fake, extractor, count=protocol.fake_count, device=device, progress=progress, side="fake"
    )
    check_shape(fake_features, protocol, "fake")
    return compare(
        real_features,
        fake_features,
        extractor=extractor,
        metrics=metrics,
        protocol=protocol,
        real_info=real_info,
        fake_info=fake_info,
    )


def compare(
    real: Features,
    fake: Features,
    *,
    extractor: Extractor,
    metrics: Mapping[str, SetMetric] | Iterable[SetMetric],
    protocol: Standard,
    real_info: Mapping[str, Any] | None = None,
    fake_info: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`score` for features that are there already; keep the real side to score a training run many times."""
    metrics = _listed(metrics)
    protocol.check(extractor, metrics)
    if real.shape != fake.shape:
        raise ValueError(f"real clips are {_size(real)}, fake clips {_size(fake)}; make both alike")
    groups = [group for group in fake.values.split(protocol.count) if len(group) >= 2]
    if not groups:
        raise ValueError("there is 1 fake clip; a distance between sets needs at least 2 on each side")
    # a last set that came out short would be biased otherwise than the rest
    groups = [group for group in groups if len(group) == len(groups[0])]
    warnings = _warnings(real, fake, protocol)
    results = {}
    for metric in metrics:
        results[f"{metric.name}/{extractor.name}"] = _measure(metric, real.values, groups) | {
            "stamp": protocol.stamp(metric, extractor, clips=(len(real.values), len(groups[0])))
        }
        warnings += metric.warnings(len(real.values), len(groups[0]), real.values.shape[1])
    return {
        "metrics": results,
        "protocol": {
            "name": protocol.name,
            "id": protocol.id(extractor.fingerprint),
            "extractor": f"{extractor.name}-{extractor.fingerprint}",
            **protocol.settings(),
        },
        "real": _side(real, real_info),
        "fake": _side(fake, fake_info),
        "versions": versions(),
        "warnings": warnings,
    }


def check_shape(features: Features, protocol: Standard, side: str) -> None:
    """Raise ValueError unless the clips have the frames and the size that the protocol says."""
    frames, height, width, _ = features.shape
    if frames != protocol.frames:
        raise ValueError(f"{side} clips have {frames} frames, the protocol says frames={protocol.frames}")
    if min(height, width) != protocol.size:
        raise ValueError(f"{side} clips are {width}x{height}, the protocol says size={protocol.size}")


def versions(packages: Iterable[str] = ("vgen", "torch", "torchmetrics", "numpy")) -> dict[str, str]:
    """Versions of Python and of `packages`; by default of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _listed(metrics: Mapping[str, SetMetric] | Iterable[SetMetric]) -> list[SetMetric]:
    return list(metrics.values() if isinstance(metrics, Mapping) else metrics)


def _measure(metric: SetMetric, real: Tensor, groups: list[Tensor]) -> dict[str, Any]:
    estimates = [metric.measure(real, group) for group in groups]
    values = [estimate.value for estimate in estimates]
    entry: dict[str, Any] = {
        "value": statistics.fmean(values),
        # the real clips are the same in all repeats, so the error does not shrink with their number
        "standard_error": _mean([estimate.standard_error for estimate in estimates]),
        "bias_corrected": _mean([estimate.bias_corrected for estimate in estimates]),
        "higher_is_better": metric.higher_is_better,
    }
    if len(values) > 1:
        entry["repeats"] = {"values": values, "std": statistics.stdev(values)}
    return entry


def _mean(numbers: list[float | None]) -> float | None:
    known = [number for number in numbers if number is not None and math.isfinite(number)]
    return statistics.fmean(known) if known and len(known) == len(numbers) else None


def _warnings(real: Features, fake: Features, protocol: Standard) -> list[str]:
    said = []
    for side, features, wanted in (("real", real, protocol.count), ("fake", fake, protocol.fake_count)):
        clips = len(features.hashes)
        if clips < wanted:
            said.append(f"{clips} {side} clips where the protocol asks for {wanted}")
        if features.repeated:
            said.append(f"{features.repeated} of {clips} {side} clips are exact copies of others")
    shared = len(set(real.hashes) & set(fake.hashes))
    if shared:
        said.append(f"{shared} clips are on both sides, pixel for pixel")
    height, width = real.shape[1:3]
    if height != width:
        said.append(
            f"frames are not square ({width}x{height}): the value depends on how the extractor fits them"
        )
    return said


def _side(features: Features, info: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**(info or {}), "clips": len(features.hashes), "content": features.content}


def _size(features: Features) -> str:
    frames, height, width, channels = features.shape
    return f"{width}x{height} with {frames} frames and {channels} channels"
