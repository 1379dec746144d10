"""A paper from its manifest: made once, completed after a kill, changed in one row, with a row that fails."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from vgen.cli.main import main
from vgen.training.checkpoint import read_checkpoint

MANIFEST = """
title: Two losses
seeds: [0, 1]
common:
  - debug=fast
  - clip.size=16
  - width=4
  - data.videos=12
  - kclips=0.008
  - "logger=[csv]"
  - "callback=[checkpoint,preemption,export,provenance]"
runs:
  losses: {axes: {loss: [hinge, wgan]}}
evaluations:
  quick: {overrides: [protocol=quick, protocol.count=8, "metric=[frechet]"]}
tables:
  main: {rows: [losses], baseline: loss=hinge, metrics: [fvd/embedded]}
"""
BROKEN = "  broken: {overrides: [loss=hinge, clip.stride=9], seeds: [0]}\n"


def write(folder: Path, text: str = MANIFEST) -> Path:
    file = folder / "manifest.yaml"
    file.write_text(text)
    return file


def paper(manifest: Path, output: Path, *words: str) -> None:
    main(["paper", f"manifest={manifest}", f"output={output}", *words])


def runs(output: Path, entry: str = "losses") -> list[Path]:
    return sorted(file.parent for file in (output / "runs" / entry).glob("*/config.yaml"))


def made(output: Path) -> dict[str, int]:
    """When everything that takes time was written."""
    files = [f for pattern in ("*/*/checkpoints/last.ckpt", "*/*/evaluations/*/metrics.json")
             for f in (output / "runs").glob(pattern)]  # fmt: skip
    return {str(file): file.stat().st_mtime_ns for file in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A paper that was made in one go; tests copy it."""
    folder = tmp_path_factory.mktemp("paper")
    paper(write(folder), folder / "made", "launcher=basic")
    return folder / "made"


def test_everything_is_there(whole: Path) -> None:
    assert len(runs(whole)) == 4
    assert len(made(whole)) == 8
    table = pd.read_csv(whole / "tables" / "main" / "table.csv")
    assert sorted(table["row"]) == ["loss=hinge", "loss=wgan"]
    assert set(table["metric"]) == {"fvd/embedded"}
    assert list(table["n"]) == [2, 2]
    for name in ("table.tex", "table.md", "report.html", "differences.csv"):
        assert (whole / "tables" / "main" / name).stat().st_size > 0
    page = (whole / "index.html").read_text()
    assert "loss=hinge" in page
    assert 'href="tables/main/report.html"' in page
    assert "without all numbers" not in page


def test_the_same_command_trains_and_measures_nothing(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made(whole)
    (whole / "index.html").unlink()
    paper(write(tmp_path), whole)
    assert made(whole) == before
    assert (whole / "index.html").exists()
    assert "nothing to train or to evaluate" in capsys.readouterr().out


def test_dry_tells_what_a_change_would_do_and_does_nothing(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made(whole)
    changed = MANIFEST.replace("[hinge, wgan]", "[hinge, nonsaturating]").replace("count=8", "count=9")
    paper(write(tmp_path, changed), whole, "dry=true")
    told = capsys.readouterr().out
    assert "4 runs (2 finished, 2 new)" in told
    assert told.count("  evaluate losses/loss=hinge") == 2
    assert told.count("  train losses/loss=nonsaturating") == 2
    assert "not in the manifest, left as it is: losses/loss=wgan,seed=0" in told
    paper(write(tmp_path, MANIFEST.replace("width=4", "width=8")), whole, "dry=true")
    assert "changed (width 4 -> 8" in capsys.readouterr().out
    assert made(whole) == before


def test_a_run_that_fails_is_told_and_its_row_is_empty(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(whole, output)
    before = made(output)
    text = MANIFEST.replace("evaluations:\n", f"{BROKEN}evaluations:\n", 1)
    text = text.replace(
        "[losses], baseline: loss=hinge", "[losses, broken], baseline: 'loss=hinge, clip.stride=1'"
    )
    with pytest.raises(SystemExit) as raised:
        paper(write(tmp_path, text), output)
    assert raised.value.code == 1
    captured = capsys.readouterr()
    assert "vgen: 1 failed; the same command tries again:" in captured.err
    assert captured.err.splitlines()[-1].startswith("  broken/seed=0-")
    assert made(output) == before
    page = (output / "index.html").read_text()
    assert "1 without all numbers" in page
    text = (output / "tables" / "main" / "table.md").read_text()
    lost = [line for line in text.splitlines() if line.startswith("| ") and "clip.stride=9" in line]
    assert len(lost) == 2  # among the numbers, and among the differences from the baseline
    assert all("\N{EN DASH}" in line for line in lost)
    assert "no numbers: " in text


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("debug=fast", "experiment=nothing", "runs.losses: experiment=nothing: no such option"),
        ("width=4", "widht=4", "runs.losses: widht: no such key"),
        ("protocol=quick", "protocol=fast", "evaluations.quick: protocol=fast: no such option"),
        ("rows: [losses]", "rows: [loses]", "rows: no 'loses' in this manifest; there are losses"),
    ],
)
def test_a_bad_manifest_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    with pytest.raises(SystemExit) as raised:
        paper(write(tmp_path, MANIFEST.replace(old, new)), tmp_path / "out")
    assert raised.value.code == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("vgen: error: ")]
    assert len(lines) == 1
    assert told in lines[0]
    assert not (tmp_path / "out" / "runs").exists()


def test_a_name_that_is_no_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        paper(Path("looses"), tmp_path)
    assert "manifest=looses: no such file; shipped are full, losses" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_paper_is_completed_by_the_same_command(whole: Path, tmp_path: Path) -> None:
    """kill -9 while a run trains: the runs in the end are those of the paper that nobody disturbed."""
    output = tmp_path / "killed"
    command = [sys.executable, "-m", "vgen", "paper", f"manifest={write(tmp_path)}", f"output={output}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for seen in ("*/*/provenance.json", "*/*/checkpoints/last.ckpt", "*/*/evaluations/*/metrics.json"):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        already = set((output / "runs").glob(seen))
        while process.poll() is None and set((output / "runs").glob(seen)) == already:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode == 0
    assert [run.name for run in runs(output)] == [run.name for run in runs(whole)]
    for one, other in zip(runs(output), runs(whole), strict=True):
        weights = [read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"] for run in (one, other)]
        assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    tables = [pd.read_csv(folder / "tables" / "main" / "table.csv") for folder in (output, whole)]
    assert tables[0]["values"].tolist() == tables[1]["values"].tolist()
