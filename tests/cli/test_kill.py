"""kill -9 at any moment, the same command again: what is left equals the run that was left alone, bit for bit."""

import csv
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from wandb_files import history, segments

from vgen.media import write_video
from vgen.training.checkpoint import read_checkpoint

JOB = Path(__file__).with_name("kill_training_job.py")
TINY = [
    "debug=fast", "data=videos", "clip.classes=auto", "clip.size=16", "generator.synthesis.base_channels=4",
    "discriminator.base_channels=4", "protocol.count=8", "regularizer=[r1]", "checkpoint_every=0.008",
    "metric_every=0.012", "sample_every=0.012", "keep_every=0.016", "callback.metrics.progress=false",
]  # fmt: skip

# What a step, an evaluation and a checkpoint consist of. Each checkpoint is one os.fsync of the file and one of
# the folder: before the first nothing but a partial file is there, before the second it has its name.
PREPARING = [
    "vgen.data.packing:write_header:1:before",
    "vgen.data.videos:write_pack:1:after",
    "vgen.cli.train:build_model:1:after",
]
TRAINING = [
    "vgen.callback.samples:write_mp4:1:before",
    "vgen.training.updates:Updates.generator:1:before",
    "vgen.training.updates:Updates.generator:3:after",
    "vgen.callback.csv_logger:MetricsCSV.log_metrics:4:before",
    "vgen.callback.metrics:compare:1:before",
    "vgen.training.checkpoint:os.fsync:1:before",
    "vgen.training.checkpoint:os.fsync:2:before",
    "vgen.training.checkpoint:torch.save:2:after",
    "vgen.training.checkpoint:AtomicCheckpointIO.save_checkpoint:2:after",
    "vgen.callback.metrics:OnlineMetrics.evaluate:2:after",
]
ENDING = [
    "vgen.callback.export:save_file:1:before",
    "vgen.callback.provenance:Provenance.on_train_end:1:before",
    "vgen.cli.train:wandb_bridge.finish:1:before",
]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for n in range(8):
        pixels = np.random.default_rng(n).integers(0, 255, (20, 20, 20, 3), dtype=np.uint8)
        write_video(folder / str(n % 2) / f"{n}.mp4", pixels, fps=8)
    return folder


def arguments(run: str, videos: Path, *more: str) -> list[str]:
    return [*TINY, f"data.path={videos}", f"data.cache={run}_clips", f"output={run}", *more]


def through(moments: list[str], folder: Path, videos: Path, *more: str) -> tuple[Path, Path]:
    """A run killed at each moment and then left to finish, and one that is left alone."""
    killed, whole = folder / "killed", folder / "whole"
    wanted = {f"{killed}@{moment}": -9 for moment in moments} | {f"{killed}@end": 0, f"{whole}@end": 0}
    command = [sys.executable, str(JOB), *wanted, "--", *arguments("RUN", videos, *more)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told = [line.rsplit("=", 1) for line in done.stdout.splitlines() if line.startswith(str(folder))]
    assert {moment: int(code) for moment, code in told} == wanted, done.stderr[-3000:]
    return killed, whole


def contents(run: Path, name: str) -> dict[str, Any]:
    """What a checkpoint holds of the run, with the run's own folder and id left out."""
    found = read_checkpoint(run / "checkpoints" / name)
    found["vgen"]["config"] = None
    return {key: unplaced(found[key], run) for key in ("state_dict", "optimizer_states", "callbacks", "vgen")}


def unplaced(value: Any, run: Path) -> Any:
    if isinstance(value, dict):
        return {unplaced(k, run): unplaced(v, run) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [unplaced(item, run) for item in value]
    return value.replace(str(run.resolve()), "RUN") if isinstance(value, str) else value


def differences(one: Any, two: Any, at: str = "") -> list[str]:
    """Where two nested values differ in any bit."""
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return [] if one.dtype == two.dtype and torch.equal(one, two) else [at]
    if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        return [d for key in one for d in differences(one[key], two[key], f"{at}/{key}")]
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        pairs = zip(one, two, strict=True)
        return [d for n, pair in enumerate(pairs) for d in differences(*pair, f"{at}/{n}")]
    return [] if one == two else [f"{at}: {one} {two}"]


def rows(run: Path) -> list[dict[str, str]]:
    """metrics.csv without its timing columns."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if not k.startswith("speed/")} for row in csv.DictReader(file)]


def logged(run: Path) -> dict[float, dict[str, Any]]:
    """W&B's history by kclips, without times and counters; a video is known by its checksum."""
    found = history(segments(run))
    left_out = ("_", "speed/", "samples/path")
    return {
        kclips: {k: v for k, v in row.items() if not k.startswith(left_out)} for kclips, row in found.items()
    }


def assert_same(killed: Path, whole: Path, wandb: bool) -> None:
    names = sorted(file.name for file in (whole / "checkpoints").iterdir())
    assert sorted(file.name for file in (killed / "checkpoints").iterdir()) == names
    for name in names:
        if name.endswith(".ckpt"):
            assert differences(contents(killed, name), contents(whole, name)) == [], name
    one, two = (load_file(run / "checkpoints" / "generator_ema.safetensors") for run in (killed, whole))
    assert differences(one, two) == []
    assert rows(killed) == rows(whole)
    samples = [{f.name: f.read_bytes() for f in (run / "samples").iterdir()} for run in (killed, whole)]
    assert samples[0] == samples[1]
    assert not list(killed.rglob("*.partial*"))
    if wandb:
        assert logged(killed) == logged(whole)
        assert (
            len({record.run.run_id for s in segments(killed) for record in s if record.HasField("run")}) == 1
        )


def test_a_run_killed_in_a_checkpoint_and_at_its_end(tmp_path: Path, videos: Path) -> None:
    moments = ["vgen.training.checkpoint:os.fsync:3:before", ENDING[0]]
    assert_same(*through(moments, tmp_path, videos, "kclips=0.012", "logger=[csv]"), wandb=False)


@pytest.mark.slow
def test_a_run_killed_at_chosen_moments(tmp_path: Path, videos: Path) -> None:
    moments = [*PREPARING, *random.Random(1).sample(TRAINING, len(TRAINING)), *ENDING]
    assert_same(*through(moments, tmp_path, videos, "kclips=0.036", "logger=[csv,wandb]"), wandb=True)


@pytest.mark.slow
def test_runs_killed_at_random_times(tmp_path: Path, videos: Path) -> None:
    """Ten times spread over the whole life of a process, its start and its end included."""
    whole = tmp_path / "whole"
    started = time.monotonic()
    assert process(whole, videos).wait() == 0
    life = time.monotonic() - started
    draws = random.Random(2)
    times = [life * (n + draws.random()) / 10 for n in range(10)]
    draws.shuffle(times)
    run = tmp_path / "killed0"
    for number, seconds in enumerate(times, start=1):
        job = process(run, videos)
        try:
            assert job.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            job.kill()
            job.wait()
            continue
        assert_same(run, whole, wandb=True)
        run = tmp_path / f"killed{number}"
    assert process(run, videos).wait() == 0
    assert_same(run, whole, wandb=True)


def process(run: Path, videos: Path) -> subprocess.Popen[bytes]:
    given = arguments(str(run), videos, "kclips=0.036", "logger=[csv,wandb]")
    environment = {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", "VGEN_FEATURES": f"{run}_features"}
    with Path(f"{run}.log").open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "vgen", "train", *given],
            env=os.environ | environment, stdout=file, stderr=file,
        )  # fmt: skip


@pytest.mark.slow
def test_a_run_killed_while_ada_adapts(tmp_path: Path, videos: Path) -> None:
    """Between two changes of p, right after one, and in a checkpoint: p is above 0 and rises all the while."""
    moments = [
        "vgen.training.updates:Updates.generator:3:after",
        "vgen.augment.ada:AdaptiveAugment.adapt:4:after",
        "vgen.training.checkpoint:torch.save:2:before",
    ]
    ada = (
        "augment=ada",
        "augment.interval=2",
        "augment.target=-0.99",
        "augment.ada_kclips=0.08",
        "augment.p=0.2",
    )
    killed, whole = through(moments, tmp_path, videos, "kclips=0.036", "logger=[csv]", *ada)
    assert_same(killed, whole, wandb=False)
    logged_p = [float(row["augment/p"]) for row in rows(whole) if row.get("augment/p")]
    assert len(set(logged_p)) > 3
    assert all(p > 0.2 for p in logged_p[1:])
