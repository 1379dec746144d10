"""Multiruns and sweeps as a user runs them: with several processes per job, killed and started again, searched."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hydra
import pytest
import torch
import yaml
from commands import TINY, error_of, vgen
from omegaconf import OmegaConf
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from vgen.config import CONF_DIR
from vgen.training.checkpoint import read_checkpoint

JOB = [*TINY, "logger=csv", "features_cache=false"]
PLAIN = ["callback=[checkpoint,preemption,export,provenance]", "checkpoint_every=0.004"]
MEASURED = ["callback=[metrics,checkpoint,preemption,export,provenance]", "kclips=0.004"]


def folders(sweep: Path) -> list[Path]:
    return sorted(f for f in sweep.iterdir() if (f / "config.yaml").exists())


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]


def assert_equal_runs(one: Path, other: Path) -> None:
    other_weights = weights(other)
    for name, value in weights(one).items():
        assert torch.equal(value, other_weights[name]), name
    for file in (one, other):
        with (file / "metrics.csv").open() as opened:
            assert list(csv.DictReader(opened))
    assert (one / "metrics.csv").read_text() == (other / "metrics.csv").read_text()


def test_ranks_of_a_multirun_train_the_same_job(tmp_path: Path) -> None:
    """The second of two jobs of two processes each equals the single run of two processes."""
    arguments = [*JOB, *PLAIN, "kclips=0.008", "trainer=ddp_cpu"]
    vgen("train", "-m", *arguments, "seed=1,2", f"output={tmp_path / 'sweep'}")
    vgen("train", *arguments, "seed=2", f"output={tmp_path / 'single'}")
    first, second = folders(tmp_path / "sweep")
    assert_equal_runs(second, tmp_path / "single")
    assert (first / "metrics.csv").read_text() != (second / "metrics.csv").read_text()
    assert json.loads((second / "provenance.json").read_text())["processes"] == 2
    assert "LOCAL_RANK" not in os.environ


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vgen", "train", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_rows(sweep: Path, folder: str, rows: int, process: subprocess.Popen[bytes]) -> Path:
    """Wait until the run in a folder of that beginning has logged `rows` times."""
    for _ in range(4000):
        files = list(sweep.glob(f"{folder}*/metrics.csv"))
        if files and len(files[0].read_text().splitlines()) > rows:
            return files[0].parent
        assert process.poll() is None, "ended too early"
        time.sleep(0.03)
    raise AssertionError("too slow")


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)], ids=["kill", "term"]
)
def test_a_killed_multirun_is_completed_by_the_same_command(tmp_path: Path, number: signal.Signals) -> None:
    arguments = ["-m", *JOB, *PLAIN, "seed=1,2"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    vgen("train", *arguments, "kclips=0.1", f"output={whole}")
    process = start(*arguments, "kclips=0.1", f"output={parts}")
    run = wait_for_rows(parts, "seed=2", 4, process)
    process.send_signal(number)
    assert process.wait(timeout=60) == (-9 if number == signal.SIGKILL else 128 + 15)
    assert "finished" not in json.loads((run / "provenance.json").read_text())
    first = folders(parts)[0]
    untouched = (first / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    vgen("train", *arguments, "kclips=0.1", f"output={parts}")
    for one, other in zip(folders(whole), folders(parts), strict=True):
        assert_equal_runs(one, other)
    assert (first / "checkpoints" / "last.ckpt").stat().st_mtime_ns == untouched
    assert json.loads((run / "provenance.json").read_text())["resumed"]


def test_a_longer_multirun_goes_on_where_a_shorter_one_ended(tmp_path: Path) -> None:
    vgen("train", "-m", *JOB, *PLAIN, "seed=choice(1)", "kclips=0.004", f"output={tmp_path}")
    vgen("train", "-m", *JOB, *PLAIN, "seed=1,2", "kclips=0.008", f"output={tmp_path}")
    assert [f.name[:6] for f in folders(tmp_path)] == ["seed=1", "seed=2"]
    for run in folders(tmp_path):
        assert read_checkpoint(run / "checkpoints" / "last.ckpt")["vgen"]["iteration"] == 2


def test_a_search_is_recorded_resumed_and_survives_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    space = ["optimizer.generator.lr=tag(log,interval(1e-4,1e-2))", "discriminator.image_frames=1,99"]
    command = ["train", *JOB, *MEASURED, "sweep=random", "sweep.seed=3", *space, f"output={tmp_path}"]
    vgen(*command, "sweep.trials=2")
    vgen(*command, "sweep.trials=4")
    study = json.loads((tmp_path / "study.json").read_text())
    states = [t["state"] for t in study["trials"]]
    assert len(states) == 4
    assert set(states) == {"complete", "fail"}, states
    for trial in study["trials"]:
        run = tmp_path / trial["folders"][0]
        assert run.name == f"trial_{trial['number']:04d}"
        if trial["state"] == "fail":
            assert "image_frames=99" in trial["error"]
            assert not (run / "config.yaml").exists()
            continue
        config = yaml.safe_load((run / "config.yaml").read_text())
        assert f"optimizer.generator.lr={config['optimizer']['generator']['lr']!r}" in trial["overrides"]
        assert "sweep" not in config
        with (run / "metrics.csv").open() as file:
            values = [float(r["fvd/embedded"]) for r in csv.DictReader(file) if r.get("fvd/embedded")]
        assert trial["value"] == min(values)
    complete = [t for t in study["trials"] if t["state"] == "complete"]
    assert study["best"] == min(complete, key=lambda t: t["value"])["number"]
    assert "fixed differ" in error_of(capsys, *command, "sweep.trials=4", "loss=hinge")


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["optuna", "random"])
def test_a_killed_search_is_completed_by_the_same_command(tmp_path: Path, sampler: str) -> None:
    pytest.importorskip("optuna")
    arguments = [
        *JOB, *MEASURED, "kclips=0.04", "checkpoint_every=0.004", f"sweep={sampler}", "sweep.trials=3",
        "optimizer.generator.lr=tag(log,interval(1e-4,1e-2))", "loss=hinge,wgan",
    ]  # fmt: skip
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    vgen("train", *arguments, f"output={whole}")
    process = start(*arguments, f"output={parts}")
    wait_for_rows(parts, "trial_0001", 3, process)
    process.kill()
    process.wait()
    vgen("train", *arguments, f"output={parts}")
    assert (parts / "study.json").read_text() == (whole / "study.json").read_text()
    for one, other in zip(folders(whole), folders(parts), strict=True):
        assert_equal_runs(one, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sweep=optuna", "nothing to search"),
        ("sweep=optuna loss=hinge,wgn", "loss=wgn: no such option"),
        ("sweep=random width=1,2 sweep.take=first", "sweep.take=first: choose best or last"),
        ("sweep=random width=1,2 sweep.metric=loss/g", "sweep.metric=loss/g: is low or high better?"),
        ("sweep=grid width=interval(1,2)", "all combinations need values"),
        (
            "-m seed=1,2 hydra.launcher._target_=hydra_plugins.none.L",
            "hydra_plugins.none is not installed: pip install",
        ),
        ("-m seed=1,2 optimizer.generator.l=3,4", "optimizer.generator.l: no such key"),
    ],
)
def test_sweeps_that_cannot_work_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    if "optuna" in arguments or "random" in arguments:
        pytest.importorskip("optuna")
    assert message in error_of(capsys, "train", *arguments.split(), f"output={tmp_path / 'sweep'}")
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers_run_the_same_jobs(tmp_path: Path, launcher: str) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    arguments = ["train", "-m", *JOB, *PLAIN, "kclips=0.008", "seed=1,2"]
    vgen(*arguments, f"output={tmp_path / 'plain'}")
    vgen(*arguments, f"output={tmp_path / 'other'}", f"hydra/launcher={launcher}")
    for one, other in zip(folders(tmp_path / "plain"), folders(tmp_path / "other"), strict=True):
        assert one.name == other.name
        assert_equal_runs(one, other)


def test_what_a_wandb_agent_runs_is_a_command_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's own functions make the command from the sweep file and drawn values; our parser takes it."""
    file = yaml.safe_load((Path(__file__).parents[2] / "scripts" / "wandb_sweep.yaml").read_text())
    drawn = {
        name: space["values"][-1] if "values" in space else space["max"]
        for name, space in file["parameters"].items()
    }
    macros = create_sweep_command_args({"args": {name: {"value": value} for name, value in drawn.items()}})
    macros["env"] = ["/usr/bin/env"]
    chunks = map(str, create_sweep_command(file["command"]))
    words = [w for c in chunks for w in (macros[c[2:-1]] if c.startswith("${") and c.endswith("}") else [c])]
    assert words[:3] == ["/usr/bin/env", "vgen", "train"]
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")  # the agent sets it after it has made the command
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        config = hydra.compose("train", overrides=[*words[3:], "paths.run=x"])
    assert {name: OmegaConf.select(config, name) for name in drawn if "." in name} == {
        name: value for name, value in drawn.items() if "." in name
    }
    assert config.loss._target_ == f"vgen.loss.{drawn['loss']}.Hinge"
    assert config.output == "runs/wandb_sweep/abc123"
    assert file["metric"]["name"] == config.best
