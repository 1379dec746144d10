"""The notebooks run from an empty folder, offline, and are stored clean."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vgen.config import CONF_DIR

FOLDER = CONF_DIR.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 600  # for a cell, after which it hangs; a notebook takes about a minute on a core of its own


def cells(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text(encoding="utf-8"))["cells"]


def test_there_are_the_four() -> None:
    assert [file.stem for file in NOTEBOOKS] == ["audit_a_metric", "latent_space", "paper_table", "tour"]


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_runs(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="pip install 'vgen[dev]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install 'vgen[dev]'")
    for name, value in {
        "VGEN_FEATURES": str(tmp_path / "features"),
        "TMPDIR": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "WANDB_MODE": "offline",
        "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("VGEN_CHECKPOINT", raising=False)
    book = nbformat.read(file, as_version=4)
    client = nbclient.NotebookClient(book, timeout=SECONDS, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
    assert any(out.output_type in ("display_data", "execute_result") for out in shown)
    assert not [out for out in shown if out.output_type == "error"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_is_stored_clean(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    book = json.loads(text)
    assert text == json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n", (
        "nbformat's own layout"
    )
    assert set(book["metadata"]) == {"kernelspec", "language_info"}
    assert cells(file)[0]["cell_type"] == "markdown"
    assert cells(file)[0]["source"][0].startswith("# ")
    for cell in cells(file):
        assert cell["metadata"] == {}
        assert cell["source"], "an empty cell"
        assert len(cell["source"]) <= 40, "a long cell"
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_are_formatted() -> None:
    pytest.importorskip("ruff", reason="pip install 'vgen[dev]'")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, str(FOLDER)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
