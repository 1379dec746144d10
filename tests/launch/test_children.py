"""Processes beside each other: none ends another, each failure is one line, and a folder has one master."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vgen.config import ConfigError
from vgen.launch.children import Child, holding, run_children


def child(folder: Path, name: str, script: str) -> Child:
    return Child(name, ("sh", "-c", script), folder / f"{name}.log")


def test_a_failure_ends_no_other_and_is_told_in_one_line(tmp_path: Path) -> None:
    scripts = {
        "told": "echo before; echo 'vgen: error: no such thing' >&2; exit 1",
        "bug": "echo Traceback; echo 'KeyError: 3' >&2; exit 1",
        "killed": "kill -9 $$",
        "silent": "exit 3",
        "good": f"echo done > {tmp_path / 'made'}",
    }
    lines: list[str] = []
    children = [child(tmp_path, name, script) for name, script in scripts.items()]
    errors = run_children(children, at_once=2, tell=lines.append)
    assert errors == {
        "told": "no such thing",
        "bug": "KeyError: 3",
        "killed": "killed by SIGKILL (out of memory?)",
        "silent": "exit code 3",
    }
    assert (tmp_path / "made").exists()
    assert "[5/5] good" in lines


def test_an_error_of_an_earlier_start_is_not_told_again(tmp_path: Path) -> None:
    run_children(
        [child(tmp_path, "run", "echo 'vgen: error: first'; exit 1")], at_once=1, tell=lambda _: None
    )
    errors = run_children([child(tmp_path, "run", "exit 7")], at_once=1, tell=lambda _: None)
    assert errors == {"run": "exit code 7"}


def test_each_child_has_a_device_of_its_own(tmp_path: Path) -> None:
    script = f'echo "$CUDA_VISIBLE_DEVICES" >> {tmp_path}/$CUDA_VISIBLE_DEVICES; sleep 0.3'
    children = [child(tmp_path, str(i), script) for i in range(4)]
    started = time.monotonic()
    assert run_children(children, at_once=1, devices=[2, 5], tell=lambda _: None) == {}
    assert time.monotonic() - started >= 0.6  # two rounds: no device has two children
    assert [len((tmp_path / device).read_text().split()) for device in "25"] == [2, 2]


def test_a_folder_has_one_master(tmp_path: Path) -> None:
    lock = tmp_path / "paper" / ".lock"
    with holding(lock), pytest.raises(ConfigError, match=f"process {os.getpid()} works in"), holding(lock):
        pass
    with holding(lock):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells a child of its parent's death")
def test_children_of_a_killed_master_leave_before_the_next_begins(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from vgen.launch.children import Child, holding, run_children
mark = "trap 'sleep 0.5; echo left >> {tmp_path}/marks; exit 1' TERM; echo began >> {tmp_path}/marks; "
mark += "while :; do sleep 0.05; done"
with holding(Path("{tmp_path}/.lock")) as lock:
    run_children([Child("run", ("sh", "-c", mark), Path("{tmp_path}/log"))], at_once=1, lock=lock)
"""
    marks = tmp_path / "marks"
    master = subprocess.Popen([sys.executable, "-c", script])
    while not marks.exists():
        time.sleep(0.02)
    master.kill()
    master.wait()
    told: list[str] = []
    with holding(tmp_path / ".lock", told.append):
        assert marks.read_text().split() == ["began", "left"]
    assert told == ["waiting for the runs of a killed start to write their checkpoints"]
