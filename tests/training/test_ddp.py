"""Two processes are one process: same draws, same statistics, same weights, in the checkpoint too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

JOB = Path(__file__).with_name("ddp_job.py")


def run(
    output: Path, strategy: str, steps: int = 4, checkpoint: Path | None = None, terms: str = "penalties"
) -> dict:
    """The checkpoint after `steps`."""
    environment = os.environ | {"PYTHONPATH": f"{JOB.parents[1]}:{JOB.parents[2]}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(JOB), str(output), strategy, terms, str(steps)]
    if checkpoint is not None:
        command.append(str(checkpoint))
    finished = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return torch.load(output)


def check_equal(one: dict, other: dict, within: float = 1e-9) -> None:
    """Weights, averages, buffers and optimizer states of two checkpoints."""
    assert one["state_dict"].keys() == other["state_dict"].keys()
    for name, weight in one["state_dict"].items():
        torch.testing.assert_close(
            other["state_dict"][name], weight, rtol=within, atol=within * 1e-3, msg=name
        )
    for mine, theirs in zip(one["optimizer_states"], other["optimizer_states"], strict=True):
        assert mine["state"].keys() == theirs["state"].keys() != set()
        for index, entry in mine["state"].items():
            for name, value in entry.items():
                torch.testing.assert_close(
                    theirs["state"][index][name], value, rtol=within, atol=within * 1e-3
                )


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return run(tmp_path_factory.mktemp("alone") / "one.ckpt", "one")


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("ddp_search", marks=pytest.mark.slow), "fsdp"])
def test_two_processes_equal_one(tmp_path: Path, alone: dict, strategy: str) -> None:
    """Batch norms, lazy R1, gradient penalty, augmentation, image head, two discriminator steps: all of it."""
    check_equal(alone, run(tmp_path / "two.ckpt", strategy))
    average = torch.load(tmp_path / "two.average")
    for name, value in average.items():
        torch.testing.assert_close(value, alone["state_dict"][f"generator_average.module.{name}"])


def test_terms_that_remember_or_draw_do_not_see_the_processes(tmp_path: Path) -> None:
    one, two = (run(tmp_path / f"{name}.ckpt", name, terms="every") for name in ("one", "ddp"))
    check_equal(one, two)


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("fsdp", marks=pytest.mark.slow)])
def test_what_a_generator_is_told_does_not_depend_on_the_processes(tmp_path: Path, strategy: str) -> None:
    one, two = (run(tmp_path / f"{name}.ckpt", name, terms="told") for name in ("one", strategy))
    check_equal(one, two)


@pytest.mark.slow
def test_sharded_runs_continue_under_another_trainer_and_back(tmp_path: Path, alone: dict) -> None:
    whole, sharded = tmp_path / "whole.ckpt", tmp_path / "sharded.ckpt"
    values = run(sharded, "fsdp", 2)["state_dict"].values()
    assert all(type(value) is torch.Tensor for value in values)
    check_equal(alone, run(tmp_path / "1.ckpt", "one", 4, sharded))
    run(whole, "one", 2)
    check_equal(alone, run(tmp_path / "2.ckpt", "fsdp", 4, whole))
