"""vgen audit as a user runs it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from commands import error_of, vgen

from vgen.config import CONF_DIR
from vgen.data.shapes import Shapes
from vgen.media import write_video
from vgen.protocol import selftest
from vgen.protocol.corruption import CORRUPTIONS

SMALL = [
    "clip.size=16", "clip.frames=8", "data.videos=40", "data.frames=10", "protocol.count=12", "metric=[kernel]",
    "corruption=[noise,freeze]", "levels.noise=[20,60]", "levels.freeze=[1]",
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VGEN_FEATURES", str(tmp_path / "features"))
    monkeypatch.setenv("VGEN_CACHE", str(tmp_path / "cache"))


def test_an_audit_of_drawn_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vgen("audit", *SMALL, f"output={tmp_path / 'audit'}")
    said = capsys.readouterr().out
    assert f"written to {tmp_path / 'audit'}" in said
    assert "kvd/embedded" in said
    names = {file.name for file in (tmp_path / "audit").iterdir()}
    assert names == {f"audit.{suffix}" for suffix in ("json", "csv", "md", "tex", "pdf", "png")}
    result = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert {e["corruption"]: e["levels"] for e in result["answers"]} == {
        "noise": [0, 20, 60],
        "freeze": [0, 1],
    }
    assert result["protocol"]["count"] == result["clean"]["clips"] == 12
    assert result["reference"]["fingerprint"] != result["clean"]["fingerprint"]
    table = pd.read_csv(tmp_path / "audit" / "audit.csv")
    assert len(table) == 5
    # what was extracted is kept
    vgen("audit", *SMALL, f"output={tmp_path / 'again'}")
    again = json.loads((tmp_path / "again" / "audit.json").read_text())
    assert again["answers"] == result["answers"]
    assert again["clean"]["from_cache"] == {"embedded": 12}


def test_an_audit_of_videos(tmp_path: Path) -> None:
    drawn = Shapes(size=24, frames=9, videos=10)
    for i in range(10):
        write_video(tmp_path / "videos" / f"{i}.mp4", drawn.read(i, np.arange(9)), fps=8)
    arguments = [word for word in SMALL if not word.startswith(("data.", "clip.size"))]
    vgen(
        "audit",
        "data=videos",
        f"data.path={tmp_path / 'videos'}",
        *arguments,
        f"output={tmp_path / 'audit'}",
        "features_cache=false",
    )
    result = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert (result["clean"]["videos"], result["clean"]["width"]) == (5, 24)
    assert not (tmp_path / "features").exists()


def test_an_audit_of_a_split_of_packed_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = Shapes(size=24, frames=9, videos=10)
    for i in range(10):
        folder = tmp_path / "videos" / ("train" if i < 6 else "test")
        write_video(folder / f"{i}.mp4", drawn.read(i, np.arange(9)), fps=8)
    words = [f"data.path={tmp_path / 'videos'}", f"output={tmp_path / 'packed'}", "data.resize=squash"]
    vgen("prepare", *words, "splits=[train,test]", "clip.size=16", "processes=0")
    words = [word for word in SMALL if not word.startswith(("data.", "clip.size"))]
    words += ["data=packed", f"data.path={tmp_path / 'packed'}", f"output={tmp_path / 'audit'}"]
    assert "set protocol.resize=squash" in error_of(capsys, "audit", *words)
    words += ["protocol.resize=squash", "protocol.split=train"]
    assert "give one of them" in error_of(capsys, "audit", *words, "data.split=test")
    vgen("audit", *words)
    result = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert result["clean"]["videos"] + result["reference"]["videos"] == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.videos=3"], "shapes has 3 videos of 8 frames or more; an audit needs 4"),
        (["levels.noise=[3,2]"], r"levels.noise=[3, 2]: expected rising levels above 0"),
        (["levels.freeze=[2]"], "levels.freeze=[2]: expected rising levels above 0, up to 1"),
        (["levels.freeze=half"], "levels.freeze=half: input should be a valid list"),
        (["corruption=[rain]"], "corruption=[rain]: no such kind; there are noise, blur"),
        (["corruption=[]"], "corruption=[]: give a list of noise, blur"),
        (["batch=0"], "batch=0: must be at least 1"),
        (["metric=[fretchet]"], "Did you mean 'frechet'?"),
        (["clip.frames=2"], "extractor embedded needs clips of at least 4 frames"),
        (["data=videos"], "data.path=... must be given"),
    ],
)
def test_mistakes_are_told_in_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = [word for word in SMALL if not (words == ["data=videos"] and word.startswith("data."))]
    assert message in error_of(capsys, "audit", *base, *words, f"output={tmp_path / 'audit'}")
    assert not (tmp_path / "audit").exists()


def test_the_configuration_lists_every_corruption_with_its_levels() -> None:
    config = yaml.safe_load((CONF_DIR / "audit.yaml").read_text())
    assert config["corruption"] == list(CORRUPTIONS)
    assert {kind: tuple(levels) for kind, levels in config["levels"].items()} == {
        kind: corruption.levels for kind, corruption in CORRUPTIONS.items()
    }


def test_the_selftest_says_what_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = selftest.Golden()
    monkeypatch.setattr(selftest, "_i3d_logits", lambda pixels: golden.arrays["i3d_logits"])
    vgen("audit", "selftest=true")
    assert capsys.readouterr().out.splitlines()[-1].startswith("all ")
    monkeypatch.setattr(selftest, "vendi_score", lambda features: 1.0)
    with pytest.raises(SystemExit) as raised:
        vgen("audit", "selftest=true")
    assert raised.value.code == 1
    assert "1 of" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.slow
def test_the_selftest_passes(capsys: pytest.CaptureFixture[str]) -> None:
    vgen("audit", "selftest=true")
    assert capsys.readouterr().out.splitlines()[-1].startswith("all ")


def test_help_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        vgen("audit", "--help")
    said = capsys.readouterr().out
    assert "vgen audit selftest=true" in said
    assert re.search(r"data: .*shapes.*videos", said)
