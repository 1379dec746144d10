"""How metrics answer to known damage: the engine of `vgen audit`.

Two disjoint halves of real clips: one is the reference, the other is compared with it as it is and damaged in graded
ways. What a metric says of the clean half is its baseline: the distance that sampling alone makes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from tqdm import tqdm

from vgen.protocol.contract import ClipSet
from vgen.protocol.corruption import CORRUPTIONS, CorruptedClips
from vgen.protocol.score import Side, Terms, Unmeasured, compare, look, pairs_of
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore
from vgen.protocol.verdict import Answer, judge, motion_share, sensitivity

_HALF = {"real": "reference", "fake": "clean"}


def audit(
    reference: ClipSet,
    clean: ClipSet,
    *,
    extractors: Terms,
    metrics: Terms,
    protocol: Standard,
    corruptions: Mapping[str, Sequence[float]],
    seed: int = 0,
    store: FeatureStore | None = None,
    batch: int = 16,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict[str, Any]:
    """Every metric of `clean`, as it is and damaged, against `reference`; the result is the content of audit.json.

    Each clip, clean or damaged, passes each extractor once. With a store an audit that was killed goes on where
    it was.

    Args:
        reference, clean: two sets of real clips without a video in common.
        corruptions: kinds of `vgen.protocol.corruption` -> levels above 0, rising.
        seed: of the damage.

    Returns:
        "answers", one for each number and corruption (values and standard errors by level, verdict), "balance",
        number -> sensitivity to spatial and temporal damage, and protocol, sides, versions and warnings as in
        metrics.json. A level at which a metric has no value is left out of its answer, with a warning.

    Raises:
        ValueError: an unknown corruption, levels that do not rise, or what `vgen.protocol.score.score` refuses.
    """
    pairs_of(extractors, metrics, protocol)  # what does not go together is said before a clip is read
    check_corruptions(corruptions)
    damaged = {
        (kind, level): CorruptedClips(clean, kind=kind, level=level, seed=seed)
        for kind, levels in corruptions.items()
        for level in levels
    }
    sets = [("reference", reference), ("clean", clean), *((f"{k} {x:g}", c) for (k, x), c in damaged.items())]
    sides: list[Side] = []
    with tqdm(total=len(sets), desc="audit", unit="set of clips", disable=not progress) as bar:
        for name, clips in sets:
            bar.set_postfix_str(name)
            sides.append(
                look(
                    clips, extractors, protocol=protocol, side=name, store=store, batch=batch, device=device,
                    progress=progress,
                )
            )  # fmt: skip
            bar.update()
    left, clean_side, *damaged_sides = sides
    baseline = compare(left, clean_side, extractors=extractors, metrics=metrics, protocol=protocol)
    # for a comparison the two halves are its real and its fake side
    warnings = [re.sub(r"\b(real|fake)\b", lambda m: _HALF[m[0]], line) for line in baseline["warnings"]]
    warnings += [f"no value for clean clips: {why}" for why in baseline["failed"].values()]
    measured: dict[tuple[str, float], dict[str, Any]] = {}
    work = tqdm(
        list(zip(damaged, damaged_sides, strict=True)), desc="metrics", disable=not progress, leave=False
    )
    for place, side in work:
        try:
            found = compare(left, side, extractors=extractors, metrics=metrics, protocol=protocol)
        except Unmeasured as error:
            found = {"metrics": {}, "failed": error.failed}
        measured[place] = found["metrics"]
        # damage may leave a metric nothing to measure: motion, in frozen clips
        warnings += [f"no value for {place[0]} {place[1]:g}: {why}" for why in found["failed"].values()]
    answers = [
        _answer(name, clean_entry, kind, found)
        for name, clean_entry in baseline["metrics"].items()
        for kind, levels in corruptions.items()
        if (found := {x: measured[kind, x][name] for x in levels if name in measured[kind, x]})
    ]
    return {
        "answers": answers,
        "balance": _balance(answers),
        "corruptions": {
            kind: {"family": CORRUPTIONS[kind].family, "unit": CORRUPTIONS[kind].unit, "levels": list(levels)}
            for kind, levels in corruptions.items()
        },
        "seed": seed,
        "protocol": baseline["protocol"],
        "reference": baseline["real"],
        "clean": baseline["fake"],
        "versions": baseline["versions"],
        "warnings": list(dict.fromkeys(warnings)),
        "seconds": {"features": round(sum(side.seconds for side in sides), 3)},
    }


def to_answer(entry: Mapping[str, Any]) -> Answer:
    """An entry of "answers" as what `judge` takes."""
    return Answer(
        tuple(entry["levels"]),
        tuple(entry["values"]),
        tuple(entry["standard_errors"]),
        entry["higher_is_better"],
    )


def check_corruptions(corruptions: Mapping[str, Sequence[float]]) -> None:
    """Raise ValueError unless these are known kinds with rising levels within their range."""
    if not corruptions:
        raise ValueError(f"no corruption to answer to; choose from {', '.join(CORRUPTIONS)}")
    for kind, levels in corruptions.items():
        if kind not in CORRUPTIONS:
            raise ValueError(f"no corruption {kind!r}; choose from {', '.join(CORRUPTIONS)}")
        spec = CORRUPTIONS[kind]
        rising = list(levels) == sorted(set(levels))
        if not levels or not rising or levels[0] <= 0 or levels[-1] > spec.most:
            raise ValueError(
                f"levels.{kind}={list(levels)}: expected rising levels above 0, up to {spec.most:g} ({spec.unit})"
            )


def _answer(
    name: str, clean: Mapping[str, Any], kind: str, damaged: Mapping[float, Mapping[str, Any]]
) -> dict[str, Any]:
    """The answer of a number to a corruption, from its entries for the clean clips and by level."""
    entries = [clean, *damaged.values()]
    entry: dict[str, Any] = {
        "metric": name,
        "corruption": kind,
        "family": CORRUPTIONS[kind].family,
        "levels": [0.0, *map(float, damaged)],
        "values": [e["value"] for e in entries],
        "standard_errors": [e["standard_error"] for e in entries],
        "higher_is_better": clean["higher_is_better"],
        "stamp": clean["stamp"],
        "protocol": clean["protocol"],
    }
    answer = to_answer(entry)
    entry["unit"] = answer.unit
    entry["response"] = list(answer.response)
    verdict = judge(answer)
    entry["verdict"] = asdict(verdict) | {"noticed": list(verdict.noticed)}
    return entry


def _balance(answers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Number -> sensitivity to both families of damage, and the share of motion in it."""
    balance = {}
    for name in dict.fromkeys(entry["metric"] for entry in answers):
        own = [entry for entry in answers if entry["metric"] == name]
        spatial, temporal = (
            [to_answer(entry) for entry in own if entry["family"] == family]
            for family in ("spatial", "temporal")
        )
        balance[name] = {
            "spatial": sensitivity(spatial),
            "temporal": sensitivity(temporal),
            "motion_share": motion_share(spatial, temporal) if spatial and temporal else None,
        }
    return balance
