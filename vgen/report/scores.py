"""The numbers of one run, each with what it may be compared with."""

import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vgen.metric.names import HIGHER_IS_BETTER
from vgen.report.settings import PLUMBING_LEAVES, leaves

DURING_TRAINING = "during training"
_GIVEN = re.compile(r"condition\.\w+\.frames")  # a prediction's numbers compare with no others


@dataclass(frozen=True)
class Measure:
    """What two numbers must share to be compared; every distinct measure is a column of its own.

    Attributes:
        metric: name with extractor, e.g. "fvd/embedded".
        protocol: id of the evaluation protocol; that of this metric where its entry has one.
        stamp: the protocol in short, as readers see it.
        real: fingerprint of the real data compared with.
    """

    metric: str
    protocol: str
    stamp: str
    real: str


@dataclass(frozen=True)
class Score:
    """One number of one run.

    Attributes:
        standard_error: of its estimate; not a spread over seeds.
        real: the same statistic of the real clips, where the metric is one of a single set.
    """

    value: float
    standard_error: float | None = None
    higher_is_better: bool | None = None
    real: float | None = None


def evaluated_scores(evaluation: dict[str, Any]) -> tuple[dict[Measure, Score], list[str]]:
    """Content of metrics.json -> its scores, and which of them are unusable.

    Raises:
        ValueError: there are no metrics, or nothing says under which protocol one of them was measured.
    """
    metrics, protocol, real = (evaluation.get(key) for key in ("metrics", "protocol", "real"))
    if not isinstance(metrics, dict) or not metrics:
        raise ValueError("it holds no metrics")
    shared = protocol.get("id") if isinstance(protocol, dict) else None
    fingerprint = str(real.get("fingerprint", "")) if isinstance(real, dict) else ""
    scores, said = {}, []
    for metric, entry in metrics.items():
        entry = entry if isinstance(entry, dict) else {}
        value = _finite(entry.get("value"))
        if value is None:
            said.append(f"{metric} in metrics.json is not a finite number")
            continue
        # Several extractors in one file have a protocol each; files of older versions have one for all.
        own = entry.get("protocol") or shared
        if not own:
            raise ValueError(f"it names no protocol for {metric}, which cannot be compared with any other")
        direction = entry.get("higher_is_better")
        measure = Measure(metric, str(own), str(entry.get("stamp") or own), fingerprint)
        scores[measure] = Score(
            value,
            _finite(entry.get("standard_error")),
            direction if isinstance(direction, bool) else None,
            _finite(entry.get("real")),
        )
    return scores, said


def training_scores(
    curves: pd.DataFrame,
    config: dict[str, Any],
    real: str,
    known: dict[str, bool | None],
    protocols: dict[str, str] | None = None,
) -> dict[Measure, Score]:
    """The last logged value of each metric column.

    Args:
        curves: numbers over training.
        config: of the run; what decides how metrics are computed during training becomes the protocol id.
        real: fingerprint of the training data.
        known: full name -> higher_is_better of metrics besides those in HIGHER_IS_BETTER.
        protocols: what W&B's summary says of the protocol: its "id", and the stamp of each metric by its full name.
    """
    protocols = protocols or {}
    protocol = "-".join(
        ["training", _online_settings(config), *([protocols["id"]] if "id" in protocols else [])]
    )
    scores = {}
    for column in metric_columns(curves, known):
        values = curves[column].dropna()
        if len(values):
            direction = known.get(column, HIGHER_IS_BETTER.get(column.split("/")[0]))
            stamp = f"{DURING_TRAINING}: {protocols[column]}" if column in protocols else DURING_TRAINING
            scores[Measure(column, protocol, stamp, real)] = Score(float(values.iloc[-1]), None, direction)
    return scores


def metric_columns(curves: pd.DataFrame, known: Iterable[str] = ()) -> list[str]:
    """Columns that are metrics: `family/extractor` of a family in HIGHER_IS_BETTER, or a name in `known`."""
    known = set(known)
    return [c for c in curves.columns if c in known or ("/" in c and c.split("/")[0] in HIGHER_IS_BETTER)]


def _online_settings(config: dict[str, Any]) -> str:
    """Hash of what decides the numbers logged during training, besides the network and the data."""
    callbacks = config.get("callback")
    online = [
        f"callback.{name}"
        for name, node in (callbacks.items() if isinstance(callbacks, dict) else ())
        if isinstance(node, dict) and "metric" in f"{name} {node.get('_target_', '')}".lower()
    ]
    groups = ("clip", "protocol", "metric", "extractor", *online)
    deciding = {
        key: value
        for key, value in leaves(config)
        if (key.startswith(tuple(f"{group}." for group in groups)) or _GIVEN.fullmatch(key))
        and key.split(".")[-1] not in PLUMBING_LEAVES | {"seed", "every"}
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _finite(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None
