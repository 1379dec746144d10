"""One, two and three processes score alike, on sets that none of them divides."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

JOB = Path(__file__).with_name("ranks_job.py")


def run(folder: Path, processes: int, clips: int, store: str = "none", *more: str) -> list[dict[str, Any]]:
    output = folder / f"of{processes}.json"
    command = [sys.executable, str(JOB), str(output), str(processes), str(clips), store, *more]
    subprocess.run(command, check=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return [
        json.loads(output.with_name(f"of{processes}.{rank}.json").read_text()) for rank in range(processes)
    ]


# 7 and 8 clips in chunks of 2; 3 and 4 clips, of which the third process gets none
@pytest.mark.parametrize(
    ("clips", "several"),
    [(7, (2,)), *(pytest.param(clips, (3,), marks=pytest.mark.slow) for clips in (3, 7))],
)
def test_numbers_do_not_depend_on_the_number_of_processes(
    tmp_path: Path, clips: int, several: tuple[int, ...]
) -> None:
    (one,) = run(tmp_path, 1, clips)
    for processes in several:
        results = run(tmp_path, processes, clips)
        for result in results:
            assert result["metrics"] == one["metrics"]
            assert result["real"] == one["real"]
        assert sum(result["seen"][0] for result in results) == 2 * clips + 1
        assert max(result["seen"][0] for result in results) < 2 * clips + 1


def test_processes_share_the_store(tmp_path: Path) -> None:
    first = run(tmp_path, 2, 7, str(tmp_path / "store"))
    assert sum(result["seen"][0] for result in first) == 15
    again = run(tmp_path, 2, 7, str(tmp_path / "store"))
    assert [result["seen"] for result in again] == [[0, 0], [0, 0]]
    assert again[0]["metrics"] == first[0]["metrics"]
    assert again[1]["real"]["from_cache"] == {"colours": 7, "brightness": 7}


def test_what_fails_on_one_is_an_error_on_all(tmp_path: Path) -> None:
    results = run(tmp_path, 2, 7, "none", "BROKEN")
    assert results[1]["error"] == "video 7 cannot be read"
    assert results[0]["error"] == "video 7 cannot be read (on rank 1)"
