"""Two processes are one process: same draws, same statistics, same weights."""

import os
import subprocess
import sys
from pathlib import Path

import torch

JOB = Path(__file__).with_name("ddp_job.py")


def run(output: Path, processes: int, accumulate: int = 1) -> dict:
    environment = os.environ | {"PYTHONPATH": f"{JOB.parents[1]}:{JOB.parents[2]}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(JOB), str(output), str(processes), str(accumulate)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return torch.load(output)


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Batch norms, lazy R1, gradient penalty, augmentation, image head, two discriminator steps: all of it."""
    one, two = run(tmp_path / "one.pt", 1), run(tmp_path / "two.pt", 2)
    assert one["losses"].keys() == two["losses"].keys()
    for name, weight in one["weights"].items():
        torch.testing.assert_close(weight, two["weights"][name], rtol=1e-9, atol=1e-12, msg=name)
