"""Ranks of one job: environment given and taken back, failures told."""

import os
import sys
from pathlib import Path

import pytest

from vgen.launch.processes import other_ranks, process_count


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_children_get_their_ranks_and_the_environment_is_restored(tmp_path: Path) -> None:
    before = dict(os.environ)
    code = (
        "import os, pathlib; e = os.environ;"
        f"(pathlib.Path({str(tmp_path)!r}) / e['LOCAL_RANK']).write_text(e['WORLD_SIZE'] + ' ' + e['MASTER_PORT'])"
    )
    with other_ranks(3, child(code)):
        port = os.environ["MASTER_PORT"]
        assert os.environ["LOCAL_RANK"] == "0"
    assert {f.name: f.read_text() for f in tmp_path.iterdir()} == {"1": f"3 {port}", "2": f"3 {port}"}
    assert dict(os.environ) == before


def test_a_slurm_job_of_one_task_is_hidden_but_can_be_requeued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning would take each process for the one task; a requeue needs the number of the job."""
    given = {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7", "SLURM_CONF": "/etc/slurm.conf"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    code = (
        "import os, pathlib; names = sorted(n for n in os.environ if 'SLURM' in n);"
        f"(pathlib.Path({str(tmp_path)!r}) / 'seen').write_text(' '.join(names))"
    )
    with other_ranks(2, child(code)):
        assert "SLURM_PROCID" not in os.environ
    assert (tmp_path / "seen").read_text() == "SLURM_CONF SLURM_JOB_ID"
    assert {name: os.environ[name] for name in given} == given


def test_a_failing_rank_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="rank 1 failed"), other_ranks(2, child("raise SystemExit(3)")):
        pass
    assert "LOCAL_RANK" not in os.environ


def test_children_end_with_a_failing_parent() -> None:
    with pytest.raises(KeyError), other_ranks(2, child("import time; time.sleep(600)")):
        raise KeyError


def test_one_process_starts_nothing() -> None:
    with other_ranks(1, ["no such program"]):
        assert "LOCAL_RANK" not in os.environ


@pytest.mark.parametrize(
    ("devices", "count"), [(1, 1), (4, 4), ("2", 2), ("0,3,5", 3), ([0, 1], 2), ("auto", 1), (-1, 1)]
)
def test_device_counts_on_a_cpu(devices: int | str | list[int], count: int) -> None:
    assert process_count("cpu", devices) == count


@pytest.mark.parametrize("devices", [0, -2, "0", []])
def test_no_devices_are_refused(devices: int | str | list[int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1, or -1 for all"):
        process_count("cpu", devices)
