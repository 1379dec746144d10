"""vgen prepare, called as a user types it. Packing itself is tested in tests/data, datasets in tests/dataset."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import hydra
import numpy as np
import pytest
from commands import error_of, vgen
from PIL import Image

from vgen.cli.build import build_data
from vgen.config import CONF_DIR
from vgen.media import write_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine videos in two classes; one repeats another, one mirrors it, one does not move; and a broken one."""
    folder = tmp_path_factory.mktemp("raw") / "set"
    draws = np.random.default_rng(0)
    for n in range(6):
        small = Image.fromarray(draws.integers(0, 255, (5, 5, 3), dtype=np.uint8))
        large = np.asarray(small.resize((64, 64), Image.Resampling.BICUBIC))
        pixels = np.stack([np.roll(large, 2 * t, axis=1) for t in range(16 + n)])
        write_video(folder / "ab"[n % 2] / f"{n}.png", pixels, fps=8)
        if n == 1:
            write_video(folder / "a" / "copy.png", pixels, fps=8)
            write_video(folder / "b" / "mirrored.png", pixels[:, :, ::-1], fps=8)
            write_video(folder / "b" / "still.png", np.repeat(255 - pixels[:1], 20, axis=0), fps=8)
    (folder / "a" / "broken.png").write_bytes(b"no image")
    return folder


def test_packed_verified_and_read_for_training(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [f"data.path={videos}", f"output={out}", "clip.size=16", "processes=0", "licence=ours"]
    vgen("prepare", *words)
    told = capsys.readouterr().out
    assert "10 strip images in 2 classes" in told
    assert "skipped a/broken.png: " in told
    assert "9 videos, " in told
    assert f"vgen train data=packed data.path={out} clip.size=16" in told
    index = json.loads((out / "dataset.json").read_text())
    assert (index["source"], index["licence"], index["settings"]["size"]) == (str(videos), "ours", 16)
    vgen("prepare", *words)
    assert "it was there already" in capsys.readouterr().out
    vgen("prepare", f"verify={out}")
    assert "9 videos in 1 shard, all as they were written" in capsys.readouterr().out
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        config = hydra.compose(
            "train", overrides=["data=packed", f"data.path={out}", "clip.size=16", "batch=4"]
        )
    data = build_data(config)
    data.prepare_data()
    data.setup()
    assert data.describe()["fingerprint"] == index["fingerprint"]
    assert next(iter(data.train_dataloader()))["pixels"].shape == (4, 16, 16, 16, 3)
    shard = out / "shards" / "00000.npy"
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    assert "1 problem: remove the folder" in error_of(capsys, "prepare", f"verify={out}")


def test_what_cannot_be_asked_for(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = f"data.path={videos}", f"output={tmp_path / 'out'}"
    for words, message in (
        ([path], "output=... must be given"),
        ([out], "data.path=... must be given"),
        ([path, f"output={videos / 'packed'}"], "lies in the folder of the videos"),
        ([out, "data=shapes"], "vgen prepare packs data=videos"),
        ([path, out, "processes=-1"], "processes=-1"),
        ([path, out, "shard_mb=0"], "shard_mb=0: must be a number above 0"),
        ([path, out, "raw=x"], "raw=x goes with dataset=NAME"),
        ([path, out, "clip.fps=12"], "give it when you train with data=packed"),
        ([path, out, "data.fps=12"], "give it when you train with data=packed"),
        ([path, out, "data.stored_fps=12"], "give it when you train with data=packed"),
        ([path, out, "data.cache=x"], "writes to output=... alone"),
        ([path, f"inspect={videos}"], "is what is looked at; leave it out"),
        (["verify=s3://bucket/set"], "verify=s3://bucket/set: give a folder of this machine"),
        ([path, out, "splits=train"], "splits=train: a list"),
        ([path, out, "splits=[train,test]"], "data.split=train"),
        (["verify=x", "inspect=y"], "ask for one"),
        (["inspect=y", "dataset=kth"], "ask for one at a time"),
        ([path, out, "dataset=kth"], "the files of dataset=kth go in raw=DIR"),
        ([out, "dataset=kth", "preset=nobody"], "preset=nobody: kth has prediction"),
        ([out, "dataset=nobody"], "dataset=nobody: no such option; dataset has bair, "),
        ([f"verify={videos}"], "is no packed dataset"),
    ):
        assert message in error_of(capsys, "prepare", *words), words
    assert not (tmp_path / "out").exists()


def test_a_video_is_of_one_split(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "test"):
        shutil.copytree(videos / "b", tmp_path / "raw" / split)
    words = [f"data.path={tmp_path / 'raw'}", f"output={tmp_path / 'out'}", "clip.size=16", "processes=0"]
    for splits in ("[train,all]", "[test,test]"):
        assert "a video can be of one split only" in error_of(
            capsys, "prepare", *words, f"splits={splits}"
        ), splits
    vgen("prepare", *words, "splits=[train,test]")
    told = capsys.readouterr().out
    assert f"vgen train data=packed data.path={tmp_path / 'out'} clip.size=16 data.split=train" in told


def test_the_page(videos: Path, tmp_path: Path) -> None:
    vgen("prepare", f"inspect={videos}", f"output={tmp_path / 'raw.html'}", "processes=0", "clip.size=32")
    raw = (tmp_path / "raw.html").read_text()
    words = [f"data.path={videos}", "clip.size=32", "processes=0", "licence='ours & theirs'"]
    vgen("prepare", *words, f"output={tmp_path / 'out'}")
    vgen("prepare", f"inspect={tmp_path / 'out'}", f"output={tmp_path}")
    packed = (tmp_path / "inspect_out.html").read_text()
    for page in (raw, packed):
        assert not re.search(r"(src|href)=.?https?://", page)  # it needs nothing else
        for text in (
            "The same pixels (1 repeated)", "Cannot be used (1)", "a/broken.png", "b/mirrored.png",
            "1 videos lie in several classes at once.", "1 videos do not move (b/still.png)", "1 videos repeat another",
            "1 pairs of videos look alike, 1 of them mirrored",
        ):  # fmt: skip
            assert text in page, text
        strips = re.findall(r'base64,([^"]+)"', page)
        assert len(strips) == 9 + 2 + 2
        assert all(base64.b64decode(strip)[:2] == b"\xff\xd8" for strip in strips)
    assert "ours &amp; theirs" in packed


def test_a_dataset_of_ones_own_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VGEN_DATASETS", str(tmp_path / "datasets"))
    raw, out = tmp_path / "raw", tmp_path / "out"
    for n, name in enumerate(("daria_bend", "daria_wave1", "ido_bend", "ido_wave1")):
        write_video(raw / f"{name}.mp4", np.full((6, 36, 48, 3), 40 * n, np.uint8), fps=25)
        (raw / f"{name}.mp4").rename(raw / f"{name}.avi")
    vgen("prepare", "dataset=weizmann", f"raw={raw}", f"output={out}", "processes=0", "clip.size=16")
    told = capsys.readouterr().out
    assert "4 video files in 2 classes" in told
    assert "as in MoCoGAN (96 px), train with clip.frames=16 clip.stride=2" in told
    index = json.loads((out / "dataset.json").read_text())
    assert index["classes"] == ["bend", "wave1"]
    assert index["citation"].startswith("Gorelick")
    with pytest.raises(SystemExit):
        vgen("prepare", "dataset=mug", f"output={tmp_path / 'mug'}")
    steps = capsys.readouterr().err
    assert "its terms or its place do not allow a download" in steps
    assert "  1. Ask for access as https://mug.ee.auth.gr/fed/ says" in steps


def test_the_help_names_every_dataset() -> None:
    named = (CONF_DIR / "prepare.yaml").read_text().partition("dataset: bair")[2] + " bair"
    for option in (CONF_DIR / "dataset").glob("*.yaml"):
        assert re.search(rf"\b{option.stem}\b", named)


@pytest.mark.slow
def test_killed_at_random_times(videos: Path, tmp_path: Path) -> None:
    """The real command with its processes: kill -9 of all of them, and the same command again."""

    def command(out: Path) -> subprocess.Popen[bytes]:
        words = [f"data.path={videos}", f"output={out}", "clip.size=16", "processes=2", "shard_mb=0.02"]
        return subprocess.Popen([sys.executable, "-m", "vgen", "prepare", *words], start_new_session=True)

    started = time.monotonic()
    assert command(tmp_path / "whole").wait() == 0
    life = time.monotonic() - started
    killed = 0
    for n in range(8):
        process = command(tmp_path / "out")
        try:
            process.wait(life * (0.5 + n / 14))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
    assert command(tmp_path / "out").wait() == 0
    assert killed
    left = [{p.name: p.read_bytes() for p in (tmp_path / f / "shards").iterdir()} for f in ("out", "whole")]
    assert left[0] == left[1]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["dataset.json", "shards"]
