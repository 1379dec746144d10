"""kill -9 in the middle of an evaluation: the next one takes over what was done."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

JOB = Path(__file__).with_name("kill_job.py")


def start(folder: Path, store: str, notes: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(JOB), *(str(folder / name) for name in ("result.json", store, notes))]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})


def noted(folder: Path) -> int:
    notes = folder / "notes"
    return len(notes.read_text().splitlines()) if notes.exists() else 0


def test_equal_numbers_and_no_clip_extracted_twice(tmp_path: Path) -> None:
    assert start(tmp_path, "other", "undisturbed").wait(120) == 0
    undisturbed = json.loads((tmp_path / "result.json").read_text())
    (tmp_path / "result.json").unlink()

    for clips in (6, 15):  # of 11 real and 9 fake ones
        job = start(tmp_path, "store", "notes")
        deadline = time.monotonic() + 120
        while noted(tmp_path) < clips:
            assert time.monotonic() < deadline
            assert job.poll() is None
            time.sleep(0.01)
        time.sleep(0.1)  # the part is written; the extractor sleeps over the next one
        job.kill()
        job.wait()
    assert not (tmp_path / "result.json").exists()
    done = noted(tmp_path)
    assert 15 <= done < 20

    assert start(tmp_path, "store", "notes").wait(120) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["metrics"] == undisturbed["metrics"]
    seen = (tmp_path / "notes").read_text().splitlines()
    assert sorted(seen) == sorted((tmp_path / "undisturbed").read_text().splitlines())
    assert result["real"]["from_cache"] == {"colours": 11}
    assert result["fake"]["from_cache"] == {"colours": done - 11}
