import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

PROTOCOL = {"name": "standard", "id": "0123456789ab", "extractor": "embedded", "frames": 16, "count": 256}
STAMP = "fvd[embedded-1a2b3c4d,N-1,256x16f,s1/s1]"


def write_run(
    folder: Path,
    *,
    config: dict[str, Any],
    csv: str | None = "kclips,iteration,loss/d,loss/g\n0.1,1,1.5,0.7\n0.2,2,1.25,0.8\n",
    metrics: dict[str, float] | None = None,
    protocol: dict[str, Any] = PROTOCOL,
    real: str = "cafe",
    stamp: str = STAMP,
    standard_error: float | None = 0.5,
    higher_is_better: bool = False,
    entries: dict[str, dict[str, Any]] | None = None,
    warnings: list[str] | None = None,
    provenance: dict[str, Any] | None = None,
    video: bool = False,
) -> Path:
    """A run folder as `vgen train` and `vgen evaluate` leave it; `entries` adds to those of `metrics` by name."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    if csv is not None:
        (folder / "metrics.csv").write_text(csv)
    if metrics is not None:
        written = {
            name: {
                "value": value,
                "standard_error": standard_error,
                "higher_is_better": higher_is_better,
                "stamp": stamp,
            }
            | (entries or {}).get(name, {})
            for name, value in metrics.items()
        }
        content = {"metrics": written, "protocol": protocol, "real": {"fingerprint": real}, "fake": {}}
        content["warnings"] = warnings or []
        (folder / "metrics.json").write_text(json.dumps(content))
    finished = {"command": "vgen train", "started": "2030-01-01", "finished": "2030-01-02"}
    (folder / "provenance.json").write_text(json.dumps(finished if provenance is None else provenance))
    if video:
        write_video(folder / "samples" / "000000.200.mp4")
    return folder


def write_video(file: Path, seed: int = 0, size: int = 64, frames: int = 8) -> None:
    import av

    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        colours = rng.integers(40, 255, (4, 3))
        for t in range(frames):
            image = np.zeros((size, size, 3), np.uint8)
            for b, paint in enumerate(colours):
                x, y = (b % 2) * size // 2, (b // 2) * size // 2
                step = (t * size // 2 // frames + int(paint[0])) % (size // 2 - size // 8)
                image[y + size // 8 : y + size // 4, x + step : x + step + size // 8] = paint
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def make_run(tmp_path):
    """write_run below tmp_path / "runs"."""

    def make(name: str, **facts: Any) -> Path:
        return write_run(tmp_path / "runs" / name, **facts)

    return make
