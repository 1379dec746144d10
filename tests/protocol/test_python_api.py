"""The evaluation from Python, as the README shows it, in a process that has neither Hydra nor Lightning."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from vgen.media import write_video

EXAMPLE = """
import sys
from vgen.extractor.embedded import Embedded
from vgen.metric.frechet import FrechetDistance
from vgen.metric.precision_recall import PrecisionRecall
from vgen.protocol.score import score
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore
from vgen.protocol.table import format_table

protocol = Standard(frames=16, size=64, count=6)
result = score(
    protocol.real_clips(protocol.open_videos("real", real=True)),
    protocol.fake_clips(protocol.open_videos("fake", real=False)),
    extractors=[Embedded()],
    metrics=[FrechetDistance(), PrecisionRecall()],
    protocol=protocol,
    store=FeatureStore("features"),
)
print(format_table(result))
assert not {"hydra", "omegaconf", "pytorch_lightning"} & set(sys.modules)
"""


def test_without_hydra_and_lightning(tmp_path: Path) -> None:
    for side, start in (("real", 0), ("fake", 60)):
        for n in range(6):
            pixels = np.random.default_rng(start + n).integers(0, 255, (16, 64, 64, 3), dtype=np.uint8)
            write_video(tmp_path / side / f"{n}.npy", pixels, fps=8)
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLE], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()[1:4]} == {
        "fvd/embedded", "precision/embedded", "recall/embedded",
    }  # fmt: skip
