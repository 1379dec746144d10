"""Folders of real files, good and bad, through the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import TINY, error_of, vgen

from vgen.media import write_video

SMALL = [a for a in TINY if not a.startswith("data.")]
TRAIN = ["train", *SMALL, "data=videos", "callback=[provenance]", "kclips=0.004"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGEN_CACHE", str(tmp_path / "cache"))


def video(file: Path, frames: int = 20, height: int = 16, width: int = 16) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (frames, height, width, 3), dtype=np.uint8)
    write_video(file, pixels, fps=8)
    return file


def test_bad_files_among_good_ones_are_skipped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "videos"
    for n in range(3):
        video(folder / f"good{n}.mp4", height=16 + 8 * n, width=24)
    video(folder / "short.mp4", frames=5)
    (folder / "text.mp4").write_text("no video")
    (folder / "empty.mp4").touch()
    whole = video(folder / "cut.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    vgen(*TRAIN, f"data.path={folder}", f"output={tmp_path / 'run'}")
    data = json.loads((tmp_path / "run" / "provenance.json").read_text())["data"]
    assert (data["videos"], data["skipped"]) == (3, 4)
    line = error_of(
        capsys, *TRAIN, f"data.path={folder}", "data.strict=true", f"output={tmp_path / 'strict'}"
    )
    assert "data.strict" in line
    assert "and 3 more" in line


@pytest.mark.parametrize("kind", ["missing", "empty", "only bad"])
def test_nothing_to_train_on(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    folder = tmp_path / "videos"
    if kind != "missing":
        folder.mkdir()
    if kind == "only bad":
        (folder / "text.mp4").write_text("no video")
    line = error_of(capsys, *TRAIN, f"data.path={folder}", f"output={tmp_path / 'run'}")
    assert "data.path" in line
    assert str(folder) in line


def test_classes_come_from_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("run", "wave", "jump"):
        video(tmp_path / "videos" / name / "0.mp4")
    vgen(*TRAIN, f"data.path={tmp_path / 'videos'}", f"output={tmp_path / 'run'}", "clip.classes=auto")
    assert "classes: 3" in (tmp_path / "run" / "config.yaml").read_text()
    flat = [
        "data.path=" + str(tmp_path / "videos" / "run"),
        f"output={tmp_path / 'flat'}",
        "clip.classes=auto",
    ]
    assert "the data has no classes" in error_of(capsys, *TRAIN, *flat)
