"""Signals in training: a checkpoint after the iteration, then the end; the same command goes on from there."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from toy import EachStep, fit, toy_gan

from vgen.callback.preemption import Preempted, Preemption
from vgen.training.checkpoint import read_checkpoint


def signal_at(iteration: int, number: int) -> Callback:
    return EachStep(
        lambda trainer, module: os.kill(os.getpid(), number) if module.iteration == iteration else None
    )


def train(folder: Path, steps: int, *callbacks: Callback, checkpoint: Path | None = None) -> Any:
    file = folder / "last.ckpt"
    chosen = [Preemption(file=str(file)), *callbacks]
    return fit(toy_gan(), folder, steps, checkpoint, callbacks=chosen, enable_checkpointing=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT])
def test_a_signal_ends_the_run_and_the_checkpoint_continues_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    handled = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)
    before = [signal.getsignal(n) for n in handled]
    whole = train(tmp_path / "whole", 8)
    seen: list[int] = []
    with pytest.raises(Preempted) as raised:
        # A callback of the same iteration that comes later in the list is still called.
        train(tmp_path, 8, signal_at(5, number), EachStep(lambda _, module: seen.append(module.iteration)))
    assert raised.value.code == 128 + number
    assert number.name in str(raised.value)
    assert seen[-1] == 5
    assert read_checkpoint(tmp_path / "last.ckpt")["vgen"]["iteration"] == 5
    assert [signal.getsignal(n) for n in handled] == before
    continued = train(tmp_path, 8, checkpoint=tmp_path / "last.ckpt")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, continued.state_dict()[name]), name


def test_a_second_interrupt_ends_the_run_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    before = signal.getsignal(signal.SIGINT)
    twice = EachStep(lambda *_: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])
    try:
        with pytest.raises(SystemExit) as raised:  # Lightning's
            train(tmp_path, 8, twice)
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(raised.value.__context__, KeyboardInterrupt)
    assert not (tmp_path / "last.ckpt").exists()
    assert "Ctrl-C again stops at once" in capfd.readouterr().err


def test_a_run_that_is_complete_is_not_called_preempted(tmp_path: Path) -> None:
    assert train(tmp_path, 4, signal_at(4, signal.SIGTERM)).iteration == 4
    assert not (tmp_path / "last.ckpt").exists()


def test_an_earlier_handler_is_called_after_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """submitit's handler puts the job back into the queue and exits."""
    monkeypatch.setattr("vgen.callback.preemption._slurm", lambda *_: pytest.fail("asked Slurm as well"))
    monkeypatch.setenv("SLURM_JOB_ID", "7")

    def requeue(number: int, frame: object) -> None:
        assert (tmp_path / "last.ckpt").exists()
        raise SystemExit(77)

    before = signal.signal(signal.SIGUSR2, requeue)
    try:
        with pytest.raises(SystemExit) as raised:
            train(tmp_path, 8, signal_at(2, signal.SIGUSR2))
        assert raised.value.code == 77
        assert signal.getsignal(signal.SIGUSR2) is requeue
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize(
    ("state", "number", "asked"),
    [
        ("RUNNING", signal.SIGUSR1, True),
        ("RUNNING", signal.SIGTERM, True),  # a preemption's time of grace
        ("COMPLETING", signal.SIGTERM, False),
        ("CANCELLED", signal.SIGTERM, False),
    ],
)
def test_slurm_is_asked_for_a_requeue_of_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, number: signal.Signals, asked: bool
) -> None:
    calls: list[tuple[str, ...]] = []

    def slurm(*command: str) -> str:
        calls.append(command)
        return f"{state}\n"

    monkeypatch.setattr("vgen.callback.preemption._slurm", slurm)
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with pytest.raises(Preempted):
        train(tmp_path, 8, signal_at(2, number))
    assert ("squeue", "--noheader", "--format=%T", "--jobs=7_3") in calls
    assert (("scontrol", "requeue", "7_3") in calls) == asked


def test_a_requeue_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def slurm(*command: str) -> str:
        raise subprocess.CalledProcessError(1, command, stderr="Invalid job id specified\n")

    monkeypatch.setattr("vgen.callback.preemption._slurm", slurm)
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
    with pytest.raises(Preempted):
        train(tmp_path, 8, signal_at(2, signal.SIGUSR1))
    assert "Slurm job 9 could not be put back into the queue: Invalid job id specified" in caplog.text


def test_two_processes_stop_after_the_same_iteration(tmp_path: Path) -> None:
    """Only one of them gets the signal."""
    job = Path(__file__).with_name("preemption_job.py")
    environment = os.environ | {"PYTHONPATH": str(job.parents[1]), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, str(job), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ended.returncode == 128 + signal.SIGTERM, ended.stderr[-2000:]
    assert read_checkpoint(tmp_path / "last.ckpt")["vgen"]["iteration"] == 6
    assert (tmp_path / "rank0").read_text() == (tmp_path / "rank1").read_text() == "6"


def test_agreement_needs_an_interval() -> None:
    with pytest.raises(ValueError, match="agree_every=0"):
        Preemption(file="last.ckpt", agree_every=0)
