"""A run folder that was damaged, emptied or is in use: told in one line, and nothing in it is lost."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.commands import TINY, error_of, vgen

SHORT = [*TINY, "kclips=0.008", "log_every=1", "callback=[checkpoint,export,provenance]", "logger=[csv]"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("damaged") / "run"
    vgen("train", *SHORT, f"output={run}")
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def flip_a_weight(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("checkpoints/last.ckpt", flip_a_weight, "the checksum of .* does not fit.*; to continue, put back a"),
        ("checkpoints/last.ckpt", lambda f: f.write_bytes(b""), "last.ckpt is damaged"),
        ("metrics.csv", lambda f: f.write_bytes(b"\xff\x00,\n"), r"metrics\.csv is damaged .*: mend it"),
        ("metrics.csv", lambda f: f.write_text(f.read_text() + "a,b\n"), r"line \d is no row of it"),
        ("provenance.json", lambda f: f.write_text('{"a":'), r"provenance\.json is damaged"),
        (".hydra/overrides.yaml", lambda f: f.write_text("a: ["), r"overrides\.yaml is damaged: give .*output="),
        (".hydra/overrides.yaml", lambda f: f.unlink(), "no run of vgen train there"),
    ],
    ids=["a bit", "empty", "bytes", "row", "half", "yaml", "gone"],
)  # fmt: skip
def test_damage_is_told_with_the_file_and_what_to_do(
    run: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    damage: Callable[[Path], object],
    said: str,
) -> None:
    damage(run / name)
    line = error_of(capsys, "train", f"resume={run}", "kclips=0.016")
    assert str(run) in line
    assert re.search(said, line)


def test_a_lost_table_is_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "metrics.csv").unlink()
    vgen("train", f"resume={run}", "kclips=0.016")
    assert "has no rows: what was logged before iteration 3 is lost" in capsys.readouterr().out


def test_a_finished_run_without_checkpoints_is_not_trained_anew(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run / "checkpoints")
    before = (run / "metrics.csv").read_text()
    vgen("train", *SHORT, f"output={run}")
    line = error_of(capsys, "train", f"resume={run}", "kclips=0.016")
    assert "finished at 0.008 kclips and its checkpoints/last.ckpt is gone" in line
    assert "another configuration (seed" in error_of(capsys, "train", f"resume={run}", "seed=5")
    assert (run / "metrics.csv").read_text() == before
    assert not (run / "checkpoints").exists()


def test_a_refused_command_leaves_the_run_its_own(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = yaml.safe_load((run / ".hydra" / "overrides.yaml").read_text())
    assert "another configuration" in error_of(capsys, "train", f"resume={run}", "width=7", "kclips=0.016")
    assert yaml.safe_load((run / ".hydra" / "overrides.yaml").read_text()) == before


def test_a_run_in_use_is_left_alone(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = (
        "import sys; from pathlib import Path; from vgen.launch.run_lock import alone_in\n"
        f"with alone_in(Path({str(run)!r})): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", job], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        line = error_of(capsys, "train", f"resume={run}", "kclips=0.016")
        other.kill()
    assert f"process {other.pid} on" in line
    assert "works on" in line
    vgen("train", f"resume={run}")  # the lock has gone with its process
