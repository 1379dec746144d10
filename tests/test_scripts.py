"""The bench scripts still run: a round of each, of networks as small as can be."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
SMALL = ("clip.size=16", "clip.frames=4", "width=4", "batch=2")


@pytest.mark.parametrize(
    ("script", "words", "told"),
    [
        ("bench_train", ("tiny=true", "rounds=1", "steps=2"), "ms more"),
        pytest.param(
            "bench_mocogan",
            ("rounds=1", "steps=1", "batch=2", "image_batch=2"),
            "vgen / original",
            marks=pytest.mark.slow,  # minutes on a slow CPU: its networks have the published size
        ),
        ("bench_levers", ("only=fused", "rounds=1", "steps=1", *SMALL), "fused"),
        (
            "bench_layers",
            ("--size=16", "--width=4", "--clips=1", "--frames=1", "--rounds=1"),
            "3x3 modulated, up",
        ),
        pytest.param(
            "bench_scaling", ("rounds=2", "steps=1", *SMALL), "strong scaling", marks=pytest.mark.slow
        ),
    ],
)
def test_bench_script_runs(
    script: str,
    words: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "argv", [str(SCRIPTS / script), *words])
    runpy.run_path(str(SCRIPTS / script), run_name="__main__")
    assert told in capsys.readouterr().out
