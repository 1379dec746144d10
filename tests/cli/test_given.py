"""Prediction as a user runs it: a generator that continues clips, asked to continue its data's, and one's own."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import TINY, error_of, vgen
from PIL import Image

from vgen.cli.codes import read_codes
from vgen.cli.load import pick_device
from vgen.data.shapes import Shapes
from vgen.media import write_video


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "prediction"
    vgen(
        "train", *TINY, f"output={folder}", "condition=frames", "condition.frames.paste=true",
        "condition.frames.base_channels=4", "regularizer=first_frame", "clip.classes=auto",
        f"features_cache={folder.parent}",
    )  # fmt: skip
    return folder


def clips(run: Path, folder: Path, *more: str) -> np.ndarray:
    vgen("sample", f"checkpoint={run}", f"output={folder}", "format=npy", "count=4", *more)
    return np.stack([np.load(file) for file in sorted(folder.iterdir())])


def test_samples_continue_the_data(run: Path, tmp_path: Path) -> None:
    made = clips(run, tmp_path / "one")
    videos = Shapes(size=16, videos=12)
    frames = {videos.read(i, np.array([t]))[0].tobytes() for i in range(12) for t in range(videos.frames)}
    assert all(clip[0].tobytes() in frames for clip in made)
    assert np.array_equal(made, clips(run, tmp_path / "again", "batch=3"))
    assert not np.array_equal(made[:, 0], clips(run, tmp_path / "seed", "seed=1")[:, 0])
    assert (run / "samples" / "000000.016.mp4").is_file()


@pytest.mark.parametrize("kind", ["picture", "video", "folder", "frames"])
def test_samples_continue_ones_own(run: Path, tmp_path: Path, kind: str) -> None:
    video = Shapes(size=16, videos=1, seed=5).read(0, np.arange(4))
    file = tmp_path / "own.png"
    if kind == "picture":
        Image.fromarray(video[0]).save(file)
    elif kind == "video":
        file = tmp_path / "own.mp4"
        write_video(file, video, fps=8)
    else:
        file = tmp_path / "own" / ("" if kind == "folder" else "clip")
        file.mkdir(parents=True)
        for number, frame in enumerate(video):
            Image.fromarray(frame).save(file / f"{number}.png")
        file = tmp_path / "own"
    made = clips(run, tmp_path / "clips", f"given={file}")
    expected = {"picture": [0] * 4, "video": [0] * 4, "folder": [0, 1, 2, 3], "frames": [0] * 4}[kind]
    far = np.abs(made[:, 0].astype(int) - video[expected]).max()
    assert far == 0 if kind != "video" else far < 120
    assert not np.array_equal(made[0, 1:], made[1, 1:])


def test_an_evaluation_says_that_it_is_prediction(run: Path, tmp_path: Path) -> None:
    vgen(
        "evaluate",
        f"checkpoint={run}",
        "protocol=quick",
        "protocol.count=6",
        f"output={tmp_path}",
        "features_cache=false",
    )
    result = json.loads((tmp_path / "metrics.json").read_text())
    assert result["protocol"]["given"] == 1
    assert "given1" in result["metrics"]["fvd/embedded"]["stamp"]


def test_the_reports_grid_is_made_of_given_clips(run: Path) -> None:
    codes = read_codes(run, count=3, seed=0, device=pick_device("cpu"))
    assert codes.grid is not None
    assert "given" in codes.latents
    assert np.array_equal(codes.grid[1, 0, 0], codes.grid[1, 2, 0])  # a row shares its picture


def test_what_cannot_be_continued_is_told(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*words: str) -> str:
        return error_of(capsys, "sample", f"checkpoint={run}", f"output={tmp_path / 'x'}", *words)

    assert "there is no" in told(f"given={tmp_path / 'nothing.png'}")
    (tmp_path / "empty").mkdir()
    assert "holds no picture and no video" in told(f"given={tmp_path / 'empty'}")
    (tmp_path / "bad.png").write_text("no picture")
    assert "bad.png" in told(f"given={tmp_path / 'bad.png'}")
    (tmp_path / "text.txt").write_text("no video")
    assert "text.txt is no video" in told(f"given={tmp_path / 'text.txt'}")
    assert "a clip has at least 2" in told("frames=1")
