"""Is a run the same as another? Setting, data, versions and numbers of two run folders side by side."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from vgen.report.curves import read_curves
from vgen.report.runs import read_json
from vgen.report.settings import comparable

# What the clock and the machine decide, not the run.
UNREPEATABLE = ("speed/", "time/", "watchdog/stall", "watchdog/leak")


@dataclass(frozen=True)
class Deviation:
    """One number that both runs have: the largest relative difference, and where it is."""

    name: str
    relative: float
    at: str
    original: float
    copy: float


@dataclass(frozen=True)
class Comparison:
    """What differs between a run and its reproduction.

    Attributes:
        settings: key -> (original, copy), of configuration, data, versions, hardware and code.
        deviations: of every number both have, worst first.
        missing: numbers that only one of them has.
        tolerance: the largest relative difference that passes.
    """

    settings: dict[str, tuple[Any, Any]]
    deviations: list[Deviation]
    missing: list[str]
    tolerance: float
    beyond: list[Deviation] = field(init=False)

    def __post_init__(self) -> None:
        beyond = [d for d in self.deviations if not d.relative <= self.tolerance]
        object.__setattr__(self, "beyond", beyond)

    @property
    def exact(self) -> bool:
        return not self.missing and all(d.relative == 0 for d in self.deviations)

    @property
    def reproduced(self) -> bool:
        """All numbers are there and within tolerance."""
        return bool(self.deviations) and not self.missing and not self.beyond

    def lines(self) -> list[str]:
        """The comparison in a few lines."""
        said = [f"{key} differs: {_short(old)} | {_short(new)}" for key, (old, new) in self.settings.items()]
        said += [f"only one of them has {name}" for name in self.missing]
        said += [
            f"{d.name} differs by {d.relative:.2g} (relative) at {d.at}: {d.original:.8g} | {d.copy:.8g}"
            for d in self.beyond
        ]
        numbers = f"{len(self.deviations)} numbers"
        if self.exact and self.deviations:
            said.append(f"reproduced: {numbers} are equal bit for bit")
        elif self.reproduced:
            worst = self.deviations[0]
            said.append(
                f"reproduced: {numbers} agree within {self.tolerance:g}; "
                f"the worst is {worst.name} ({worst.relative:.2g})"
            )
        else:
            said.append(
                f"NOT reproduced: {len(self.beyond) + len(self.missing)} of {numbers} differ by more than "
                f"{self.tolerance:g} or are missing"
            )
        return said

    def as_dict(self) -> dict[str, Any]:
        return {
            "reproduced": self.reproduced,
            "exact": self.exact,
            "tolerance": self.tolerance,
            "differing_settings": {key: list(pair) for key, pair in self.settings.items()},
            "missing": self.missing,
            "deviations": [d.__dict__ for d in self.deviations],
        }


def compare_run_folders(original: Path, copy: Path, *, tolerance: float) -> Comparison:
    """Compare two run folders: what made them, every column of metrics.csv, every value of metrics.json.

    Raises:
        FileNotFoundError: one of them has no metrics.csv.
    """
    settings = _differing(_setting(original), _setting(copy))
    old, new = _numbers(original), _numbers(copy)
    for name, at in _only_at_earlier_ends(original, old, new):
        old[name] = old[name].drop(at)
    deviations = [
        _largest(name, old[name], new[name])
        for name in old
        if name in new and len(old[name]) + len(new[name])
    ]
    deviations.sort(key=lambda d: -d.relative)
    missing = sorted(old.keys() ^ new.keys())
    return Comparison(settings, deviations, missing, tolerance)


def _only_at_earlier_ends(
    run: Path, old: dict[str, pd.Series], new: dict[str, pd.Series]
) -> list[tuple[str, float]]:
    """Names and places where only a run that was made longer has a number: it had ended and was measured there."""
    resumed = read_json(run / "provenance.json").get("resumed") or []
    ends = {float(start["at_kclips"]) for start in resumed}
    return [
        (name, at)
        for name, values in old.items()
        for at in ends.intersection(values.index)
        if name in new and at not in new[name].index
    ]


def _setting(run: Path) -> dict[str, Any]:
    """Everything that should be equal, by key."""
    found: dict[str, Any] = {}
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    found |= {f"config {key}": value for key, value in comparable(config).items()}
    provenance = read_json(run / "provenance.json")
    for part in ("versions", "hardware"):
        found |= {f"{part} {key}": value for key, value in provenance.get(part, {}).items()}
    found |= {key: provenance.get(key) for key in ("seed", "precision", "processes")}
    found["data"] = (provenance.get("data") or {}).get("fingerprint")
    git = provenance.get("git") or {}
    found["code"] = (git.get("commit") or "unknown")[:12] + ("+changes" if git.get("diff") else "")
    return found


def _differing(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = dict.fromkeys([*old, *new])
    return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}


def _numbers(run: Path) -> dict[str, pd.Series]:
    """Name -> values by kclips; values of metrics.json have the one index "evaluated"."""
    file = run / "metrics.csv"
    if not file.is_file():
        raise FileNotFoundError(f"{run} has no metrics.csv: it holds no numbers to compare")
    curves, _, _ = read_curves(file)
    found: dict[str, pd.Series] = {
        str(name): pd.Series(curves[name]).dropna()
        for name in curves.columns
        if not str(name).startswith(UNREPEATABLE)
    }
    for name, entry in read_json(run / "metrics.json").get("metrics", {}).items():
        value = entry.get("value") if isinstance(entry, dict) else None
        found[f"{name} (metrics.json)"] = pd.Series(
            {"evaluated": math.nan if value is None else float(value)}
        )
    return found


def _largest(name: str, old: pd.Series, new: pd.Series) -> Deviation:
    """The worst place; a value that only one of them has counts as infinitely far."""
    places = dict.fromkeys([*old.index, *new.index])
    pairs = {at: (float(old.get(at, math.nan)), float(new.get(at, math.nan))) for at in places}  # pyright: ignore
    at = max(pairs, key=lambda at: _relative(*pairs[at]))
    where = at if isinstance(at, str) else f"{at:g} kclips"
    return Deviation(name, _relative(*pairs[at]), where, *pairs[at])


def _relative(old: float, new: float) -> float:
    if old == new or (math.isnan(old) and math.isnan(new)):
        return 0.0
    difference = abs(old - new) / max(abs(old), abs(new))
    return math.inf if math.isnan(difference) else difference


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
