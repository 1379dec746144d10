"""Golden values reproduced by this install: no weights file and no video needed.

The inputs and what public tools returned for them lie in `golden/`; README.md there says where each value comes from.
"""

import json
import math
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vgen.extractor.embedded import Embedded
from vgen.extractor.i3d import I3D
from vgen.extractor.i3d_network import Network
from vgen.metric.density_coverage import density_coverage
from vgen.metric.frechet import frechet_distance
from vgen.metric.inception_score import Order, inception_score
from vgen.metric.jedi import jedi_distance
from vgen.metric.kernel import polynomial_mmd
from vgen.metric.kernel_subsets import subset_mmd
from vgen.metric.precision_recall import precision_recall
from vgen.metric.vendi import vendi_score
from vgen.protocol.features import full_float32

GOLDEN = Path(__file__).with_name("golden")


@dataclass(frozen=True)
class Check:
    """One value: `tolerance` is relative, absolute for an expected 0, and None where `got` must be equal."""

    name: str
    expected: float | str
    got: float | str
    tolerance: float | None = None

    @property
    def ok(self) -> bool:
        if isinstance(self.expected, str) or isinstance(self.got, str):
            return self.expected == self.got
        scale = abs(self.expected) or 1.0
        return abs(self.got - self.expected) <= (self.tolerance or 0.0) * scale


class Golden:
    """The files of `golden/`."""

    @cached_property
    def expected(self) -> dict[str, Any]:
        return json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))

    @cached_property
    def arrays(self) -> dict[str, Tensor]:
        """What README.md lists: "real", "fake", "class_logits", "pixels", "i3d_logits"."""
        files = [np.load(GOLDEN / name) for name in ("features.npz", "clips.npz")]
        return {name: torch.from_numpy(file[name]) for file in files for name in file.files}


def run_selftest(protocols: Mapping[str, str] | None = None) -> list[Check]:
    """All checks; what raises an exception counts as failed, with the message as its value.

    Args:
        protocols: name -> id of the protocol presets of this install, where there are some to compare.
    """
    golden = Golden()
    checks = [
        *(_check(golden, name, tolerance, work) for name, tolerance, work in _numbers(golden)),
        *_extractors(golden),
    ]
    if protocols is not None:
        pinned = sorted(golden.expected["protocols"].items())
        checks += [Check(f"protocol {name}", id, protocols.get(name, "missing")) for name, id in pinned]
    return checks


def format_selftest(checks: list[Check]) -> str:
    """A table and one line that sums it up."""
    rows = [("check", "expected", "got", "tolerance", "")]
    for check in checks:
        tolerance = "equal" if check.tolerance is None else f"{check.tolerance:.0e}"
        rows.append(
            (check.name, _show(check.expected), _show(check.got), tolerance, "ok" if check.ok else "FAILED")
        )
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [
        "  ".join(
            cell.ljust(w) if i in (0, 4) else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    failed = [check.name for check in checks if not check.ok]
    verdict = (
        f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}"
        if failed
        else f"all {len(checks)} checks passed"
    )
    return "\n".join([*(line.rstrip() for line in lines), "", verdict])


def made_i3d_weights() -> dict[str, Tensor]:
    """Weights of I3D from a recipe: normal draws seeded by the CRC-32 of each name, scaled by what it is."""
    return {name: torch.from_numpy(_made(name, tuple(t.shape))) for name, t in _trained_parameters()}


def _numbers(golden: Golden) -> Iterator[tuple[str, float, Callable[[], float]]]:
    """Key in expected.json, tolerance, computation."""
    real, fake, logits = (golden.arrays[name] for name in ("real", "fake", "class_logits"))
    yield "frechet, N-1", 1e-9, lambda: frechet_distance(real, fake, divisor="N-1")
    yield "frechet, N", 1e-9, lambda: frechet_distance(real, fake, divisor="N")
    yield "kvd, degree 3, gamma 1/D", 1e-6, lambda: polynomial_mmd(real, fake)
    yield "kid, 100 subsets of 100", 1e-6, lambda: subset_mmd(real, fake, subsets=100, size=100).mean
    yield "jedi", 1e-6, lambda: jedi_distance(real, fake)
    conventions: tuple[tuple[str, int, Order, int], ...] = (
        ("1 split", 1, "given", 0),
        ("10 splits", 10, "given", 0),
        ("torch-fidelity", 10, "shuffled", 2020),
        ("StyleGAN-V", 10, "shuffled", 42),
    )
    for key, splits, order, seed in conventions:
        score = partial(inception_score, logits, splits=splits, order=order, seed=seed)
        yield f"inception score, {key}", 1e-6, lambda score=score: score().mean
    yield "precision, k=3", 1e-9, lambda: precision_recall(real, fake, k=3)[0]
    yield "recall, k=3", 1e-9, lambda: precision_recall(real, fake, k=3)[1]
    yield "density, k=5", 1e-9, lambda: density_coverage(real, fake, k=5)[0]
    yield "coverage, k=3", 1e-9, lambda: density_coverage(real, fake, k=3)[1]
    yield "vendi", 1e-6, lambda: vendi_score(fake)


def _extractors(golden: Golden) -> Iterator[Check]:
    pixels = golden.arrays["pixels"]
    wanted = golden.expected["embedded"]

    def i3d() -> float:
        found = _i3d_logits(pixels)
        return float((found - golden.arrays["i3d_logits"]).abs().max())

    def embedded() -> float:
        with full_float32(torch.device("cpu")):
            found = Embedded()(pixels)["clip"]
        return float((found[:, : len(wanted["features"][0])] - torch.tensor(wanted["features"])).abs().max())

    yield Check("i3d, largest error of 800 logits", 0.0, _attempt(i3d), 1e-4)
    yield Check("embedded, fingerprint", wanted["fingerprint"], _attempt(lambda: Embedded().fingerprint[:16]))
    yield Check("embedded, largest error of features", 0.0, _attempt(embedded), 1e-3)


def _check(golden: Golden, name: str, tolerance: float, work: Callable[[], float]) -> Check:
    return Check(name, golden.expected["numbers"][name], _attempt(work), tolerance)


def _attempt(work: Callable[[], Any]) -> Any:
    # a broken install may raise anything, and the other checks still tell what works
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:60]


def _i3d_logits(pixels: Tensor) -> Tensor:
    """Logits of the extractor as users run it, from a file of made weights."""
    with tempfile.TemporaryDirectory(prefix="vgen-selftest-") as folder:
        torch.save(made_i3d_weights(), Path(folder) / "i3d_pretrained_400.pt")
        extractor = I3D(weights_dir=folder, download=False, eps=1e-5, compile=False)
        with full_float32(torch.device("cpu")):
            return extractor(pixels)["logits"]


def _trained_parameters() -> Iterator[tuple[str, Tensor]]:
    for name, tensor in Network(eps=1e-5).state_dict().items():
        if not name.endswith("num_batches_tracked"):
            yield name, tensor


def _made(name: str, shape: tuple[int, ...]) -> np.ndarray:
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("conv3d.weight"):
        return x * np.float32(math.sqrt(2 / math.prod(shape[1:])))
    if name.endswith("running_var"):
        return 1 + np.float32(0.1) * np.abs(x)
    if name.endswith("bn.weight"):
        return 1 + np.float32(0.1) * x
    return np.float32(0.1) * x


def _show(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"
