"""`vgen project` and what `vgen sample` makes of its codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import error_of, vgen
from PIL import Image
from safetensors.torch import load_file

from vgen.data.one_video import read_one_video
from vgen.media import write_mp4, write_npy, write_png

TINY = [
    "debug=fast", "clip.size=16", "width=4", "protocol.count=6", "data.videos=12", "kclips=0.004", "batch=2",
    "callback=[export]", "logger=[csv]", "best=null", "discriminator.base_channels=4",
]  # fmt: skip
STYLE = [
    "generator=styleganv", "generator.content_dim=8", "generator.synthesis.w_dim=8",
    "generator.synthesis.max_channels=8",
    "generator.motion.motion_dim=8", "generator.motion.noise_dim=4", "protocol.frames=4",
]  # fmt: skip
QUICK = ["steps=6", "starts=2", "mean_samples=64", "save_every=2", "perceptual=false"]


ARGUMENTS = {
    "style": STYLE,
    "vgan": ["generator=vgan", "generator.base_channels=4", "clip.frames=16", "clip.classes=2"],
    "told": ["generator.synthesis.base_channels=4", "condition=frames"],
}


class Runs(dict):
    """Name -> an exported generator, trained when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, name: str) -> str:
        vgen("train", *TINY, *ARGUMENTS[name], f"output={self.folder / name}")
        self[name] = str(self.folder / name / "checkpoints" / "generator_ema.safetensors")
        return self[name]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames of a square that moves."""
    pixels = np.zeros((20, 24, 24, 3), dtype=np.uint8)
    for frame in range(20):
        pixels[frame, 8:16, frame : frame + 5] = (200, 80, 40)
    file = tmp_path_factory.mktemp("videos") / "walk.npy"
    write_npy(file, pixels)
    write_mp4(file.with_suffix(".mp4"), pixels, fps=10)
    write_png(file.with_suffix(".png"), pixels)
    return file


@pytest.fixture(scope="module")
def codes(runs: dict[str, str], video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found") / "style"
    vgen("project", f"video={video}", f"checkpoint={runs['style']}", f"output={folder}", *QUICK)
    return folder / "codes.safetensors"


def sample(checkpoint: str, folder: Path, *words: str) -> np.ndarray:
    vgen("sample", f"checkpoint={checkpoint}", f"output={folder}", "format=npy", *words)
    return np.stack([np.load(file) for file in sorted(folder.iterdir())])


def test_codes_make_what_was_found(
    runs: dict[str, str], codes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads((codes.parent / "projection.json").read_text())
    assert len(told["psnr_per_frame"]) == 4
    assert told["psnr"] == pytest.approx(np.mean(told["psnr_per_frame"]), abs=1e-3)
    clip = sample(runs["style"], tmp_path / "a", f"codes={codes}")
    assert clip.shape == (1, 4, 16, 16, 3)
    twice = f"checkpoint={runs['style']}", f"output={tmp_path / 'b'}", f"codes={codes}", "count=2"
    assert "are one clip, and nothing of it is left to draw" in error_of(capsys, "sample", *twice)
    error = _target_error(codes, clip[0])
    assert 10 * np.log10(255**2 / error).mean() == pytest.approx(told["psnr"], abs=0.05)
    still = np.asarray(Image.open(codes.parent / "side_by_side.png"))
    assert still.shape == (3 * 16 + 2 * 2, 4 * 16, 3)
    assert (codes.parent / "side_by_side.mp4").is_file()
    assert load_file(codes)["latent.w"].shape == (1, 6, 8)


def _target_error(codes: Path, clip: np.ndarray) -> np.ndarray:
    told = json.loads((codes.parent / "projection.json").read_text())
    target = read_one_video(told["video"], size=16)[: len(clip)]
    return np.square(target.astype(float) - clip).mean((1, 2, 3))


@pytest.mark.slow
def test_the_same_command_finds_the_same_codes(
    runs: dict[str, str], video: Path, codes: Path, tmp_path: Path
) -> None:
    vgen("project", f"video={video}", f"checkpoint={runs['style']}", f"output={tmp_path / 'again'}", *QUICK)
    again = tmp_path / "again" / "codes.safetensors"
    assert again.read_bytes() == codes.read_bytes()
    vgen(
        "project",
        f"video={video}",
        f"checkpoint={runs['style']}",
        f"output={tmp_path / 'seed'}",
        *QUICK,
        "seed=1",
    )
    assert (tmp_path / "seed" / "codes.safetensors").read_bytes() != codes.read_bytes()


@pytest.mark.slow
def test_another_search_in_the_folder_begins_anew(
    runs: dict[str, str], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("project", f"video={video}", f"checkpoint={runs['style']}", f"output={tmp_path}", *QUICK)
    vgen(*given)
    vgen(*given)
    assert "going on from step 6" in capsys.readouterr().out
    vgen(*given, "lr=0.05")
    assert "begins anew" in capsys.readouterr().out
    (tmp_path / "state.pt").write_bytes(b"cut off")
    vgen(*given, "lr=0.05")
    assert "cannot be read" in capsys.readouterr().out


@pytest.mark.slow
def test_weights_that_were_fetched_since_make_it_another_search(
    runs: dict[str, str], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given = ("project", f"video={video}", f"checkpoint={runs['style']}", f"output={tmp_path}", *QUICK)
    vgen(*given)
    monkeypatch.setattr("vgen.cli.project._features", lambda *_: lambda frames: frames.flatten(1))
    vgen(*given)
    assert "begins anew" in capsys.readouterr().out
    assert json.loads((tmp_path / "projection.json").read_text())["perceptual"] is True


def test_a_video_of_the_same_name_does_not_replace_the_codes_of_another(
    runs: dict[str, str], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a" / video.name, tmp_path / "b" / video.name
    for file in (first, second):
        file.parent.mkdir()
        file.write_bytes(video.read_bytes())
    given = "project", f"checkpoint={runs['style']}", *QUICK, "steps=1", "starts=1", "seed=91"
    vgen(*given, f"video={first}")
    vgen(*given, f"video={first}", "steps=2")
    assert f"holds the codes of {first}; give another output=" in error_of(capsys, *given, f"video={second}")


@pytest.mark.slow
def test_kill_9_and_the_same_command_again(runs: dict[str, str], video: Path, tmp_path: Path) -> None:
    def command(name: str) -> list[str]:
        keys = [*QUICK, "steps=300", "save_every=20"]
        where = [f"video={video}", f"checkpoint={runs['style']}", f"output={tmp_path / name}"]
        return [sys.executable, "-m", "vgen", "project", *where, *keys]

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    job = subprocess.Popen(
        command("killed"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "killed" / "state.pt").is_file() and job.poll() is None:
        time.sleep(0.05)
    job.send_signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "codes.safetensors").exists()
    done = subprocess.run(command("killed"), env=environment, capture_output=True, text=True, check=True)
    assert "going on from step" in done.stdout
    subprocess.run(command("whole"), env=environment, capture_output=True, check=True)
    assert not list(tmp_path.rglob("*.partial*"))
    one, two = (load_file(tmp_path / name / "codes.safetensors") for name in ("killed", "whole"))
    assert all(torch.equal(one[name], two[name]) for name in two)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".png"])
def test_every_kind_of_video_and_generator(
    runs: dict[str, str], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    name = {".mp4": "vgan", ".png": "told"}[suffix]
    file = video.with_suffix(suffix)
    vgen("project", f"video={file}", f"checkpoint={runs[name]}", f"output={tmp_path / name}", *QUICK)
    codes = tmp_path / name / "codes.safetensors"
    told = json.loads((codes.parent / "projection.json").read_text())
    clip = sample(runs[name], tmp_path / "clip", f"codes={codes}", "count=1")
    assert clip.shape[1] == len(told["psnr_per_frame"])
    if name == "vgan":
        assert told["label"] in (0, 1)
    else:
        assert load_file(codes)["latent.given"].shape == (1, 3, 1, 16, 16)
        both = f"codes={codes}", f"given={file}", f"output={tmp_path / 'both'}"
        said = error_of(capsys, "sample", f"checkpoint={runs[name]}", *both)
        assert "hold the frames that they continue; give one of the two, or take=motion" in said


def test_stored_codes_go_on(
    runs: dict[str, str], codes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = sample(
        runs["style"], tmp_path / "longer", f"codes={codes}", "count=2", "frames=40", "start=-3", "chunk=16"
    )
    plain = sample(runs["style"], tmp_path / "plain", f"codes={codes}", "count=1")
    assert longer.shape[1] == 40
    assert np.abs(longer[:, 3:7].astype(int) - plain).max() <= 1
    assert not np.array_equal(*longer)
    moving = f"checkpoint={runs['style']}", f"output={tmp_path / 'moving'}", "content_distance=4"
    assert "hold a content that stays" in error_of(capsys, "sample", *moving, f"codes={codes}")
    vgen("sample", *moving, f"codes={codes}", "take=motion", "format=npy", "count=1")


@pytest.mark.slow
def test_stored_codes_are_moved(runs: dict[str, str], codes: Path, tmp_path: Path) -> None:
    plain = sample(runs["style"], tmp_path / "plain", f"codes={codes}", "count=1")
    motions = sample(runs["style"], tmp_path / "motions", f"codes={codes}", "take=content", "count=2")
    assert not np.array_equal(motions[0], motions[1])
    grid = sample(runs["style"], tmp_path / "grid", f"codes={codes}", "grid=directions", "directions.count=2",
                  "directions.steps=3", "directions.layers=[0,1]")  # fmt: skip
    assert len(grid) == 6
    np.testing.assert_array_equal(grid[1], plain[0])
    assert load_file(tmp_path / "grid.safetensors")["vectors"].shape == (2, 8)
    near = sample(runs["style"], tmp_path / "near", f"codes={codes}", "count=1", "truncation.content=0",
                  "truncation.samples=64")  # fmt: skip
    assert not np.array_equal(near[0], plain[0])
    # The mean is of the generator's styles, not of the stored one.
    mean = sample(runs["style"], tmp_path / "mean", f"codes={codes}", "take=motion", "count=1", "seed=0",
                  "truncation.content=0", "truncation.samples=64")  # fmt: skip
    assert np.abs(near[0].astype(int) - mean[0]).max() <= 1


def test_grid_of_mixed_styles(runs: dict[str, str], tmp_path: Path) -> None:
    given = (
        f"checkpoint={runs['style']}",
        f"output={tmp_path / 'mixed'}",
        "grid=style_mixing",
        "count=4",
        "frames=4",
    )
    vgen("sample", *given, "format=png", "style_mixing.coarse=2")
    assert np.asarray(Image.open(tmp_path / "mixed.png")).ndim == 3


@pytest.mark.slow
def test_directions_of_a_generator_without_styles(runs: dict[str, str], tmp_path: Path) -> None:
    vgen("sample", f"checkpoint={runs['vgan']}", f"output={tmp_path / 'vgan'}", "grid=directions", "label=1",
         "directions.count=2", "directions.steps=2")  # fmt: skip
    assert (tmp_path / "vgan.mp4").is_file()
    assert len(list((tmp_path / "vgan").iterdir())) == 4


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("style", ["video=nothing.mp4"], "video=nothing.mp4: there is no"),
        (
            "style",
            ["frames=30"],
            "20 frames, of which 20 are left from start=0 at stride 1, but 30 are wanted; set frames=20",
        ),
        ("style", ["start=20"], "of which 0 are left"),
        pytest.param(
            "vgan",
            ["start=10"],
            "of which 10 are left from start=10 at stride 1, but 16 this generator makes",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "vgan", ["space=w+"], "this generator has no styles; take space=z", marks=pytest.mark.slow
        ),
        pytest.param("vgan", ["label=7"], "classes 0 to 1", marks=pytest.mark.slow),
        ("style", ["space=q"], "choose auto, z, w, w+"),
        ("style", [f"output={__file__}"], "test_project.py is a file; give a folder"),
        ("style", ["steps=0"], "steps=0: must be at least 1"),
        ("style", ["lr=fast"], "lr=fast"),
        ("style", ["perceptual=maybe"], "choose true, false or auto"),
        ("style", ["terms.pixels=-1"], "terms.pixels=-1: must be a number of at least 0"),
        ("style", ["stride=0.5"], "a whole number of frames apart"),
        ("style", ["stride=two"], "stride=two: input should be a valid number"),
        ("style", ["stored_fps=0"], "stored_fps=0: must be above 0"),
        ("style", ["perceptual=true", "weights.download=false", "weights.dir=empty"], "alexnet"),
    ],
)
def test_project_says_what_is_wrong(
    runs: dict[str, str], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: list[str],
    said: str,
) -> None:  # fmt: skip
    given = {"video": str(video), "checkpoint": runs[name], "output": str(tmp_path)}
    keys = given | dict(key.split("=") for key in QUICK) | dict(word.split("=") for word in words)
    assert said in error_of(capsys, "project", *(f"{key}={value}" for key, value in keys.items()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["take=content"], "take=content goes with codes=FILE"),
        (["codes=nothing"], "codes=nothing: there is no file"),
        (["grid=style_mixing", "count=3"], "count=3: grid=style_mixing has as many rows"),
        (["grid=style_mixing", "count=4", "style_mixing.coarse=6"], "give 1 to 5"),
        (["grid=directions", "directions.layers=[9]"], "layers 0 to 5"),
        (["grid=directions", "directions.part=pose"], "no such part; it has content, motion_noise"),
        (["grid=directions", "directions.steps=1"], "at least 1 direction and 2 steps"),
        (["truncation.content=0.5", "truncation.samples=0"], "truncation.samples=0"),
    ],
)
def test_sample_says_what_is_wrong(
    runs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert said in error_of(capsys, "sample", f"checkpoint={runs['style']}", f"output={tmp_path}", *words)


@pytest.mark.slow
def test_codes_of_another_model_are_refused(
    runs: dict[str, str], codes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = error_of(capsys, "sample", f"checkpoint={runs['vgan']}", f"output={tmp_path}", f"codes={codes}")
    assert "of another model" in said
