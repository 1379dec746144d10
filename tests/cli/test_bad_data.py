"""Folders of real files, good and bad, through the command line."""

import json
import zipfile
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


def test_an_archive_with_labels_at_a_rate_of_its_own_and_cut_out_at_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("set.zip", "w") as out:
        for n in range(3):
            out.write(video(Path(f"{n}.mp4"), frames=40, height=20, width=24), f"deep/er/{n}.mp4")
        out.writestr("deep/dataset.json", json.dumps({"labels": {f"er/{n}.mp4": n % 2 for n in range(3)}}))
    own = ["data.path=set.zip", "clip.fps=4", "data.canvas=[18,22]", "clip.classes=auto"]
    vgen(*TRAIN, *own, f"output={tmp_path / 'run'}")
    data = json.loads((tmp_path / "run" / "provenance.json").read_text())["data"]
    assert (data["frames"], data["classes"], data["skipped"]) == (3 * 20, ["0", "1"], 0)


def test_official_lists_from_where_the_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Run/v_Run_g01_c01", "Run/v_Run_g02_c01", "Walk/v_Walk_g01_c01"):
        video(tmp_path / "ucf" / f"{name}.mp4")
    monkeypatch.chdir(tmp_path)
    Path("classInd.txt").write_text("1 Run\n2 Walk\n")
    Path("trainlist01.txt").write_text("Run/v_Run_g02_c01.avi 1\nWalk/v_Walk_g01_c01.avi 2\n")
    vgen(*TRAIN, "data.path=ucf", "data.split_file=trainlist01.txt", f"output={tmp_path / 'run'}")
    assert str(tmp_path / "trainlist01.txt") in (tmp_path / "run" / "config.yaml").read_text()
    data = json.loads((tmp_path / "run" / "provenance.json").read_text())["data"]
    assert (data["videos"], data["classes"]) == (2, ["Run", "Walk"])


def test_data_without_a_rate_refuse_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "train", *TINY, "clip.fps=12.5", f"output={tmp_path / 'run'}")
    assert "clip.fps=12.5: these data have no frame rate" in line


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
