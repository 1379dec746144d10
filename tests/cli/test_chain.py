"""LongVideoGAN's two stages as a user runs them: trained apart, chained for sampling and evaluation, resumed."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from commands import error_of, vgen
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from vgen.cli.chain import _difference
from vgen.cli.codes import read_codes
from vgen.cli.load import Trained, pick_device
from vgen.training.checkpoint import read_checkpoint

TINY = ("debug=fast", "width=4", "protocol.count=6", "data.videos=12", "discriminator.base_channels=2")
SMALL = (
    "generator=longvideogan", "discriminator=longvideogan", "clip.size=8", "generator.w_dim=6", "generator.filters=2",
    "generator.shortest=4", "generator.longest=30", "generator.time_doublings=2",
)  # fmt: skip
LARGE = (
    "generator=longvideogan_sres", "discriminator=longvideogan_sres", "clip.size=16", "generator.small_size=8",
    "generator.context=1", "generator.cut_ends=true", "discriminator.frames=6", "generator.layers=4",
    "generator.latent_dim=4", "generator.w_dim=6", "clip.frames=8", "augment=ada", "regularizer=r1",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for name, keys in (("small", SMALL), ("large", LARGE)):
        vgen("train", *TINY, *keys, f"output={folder / name}", f"features_cache={folder}")
    return folder / "small", folder / "large"


def clips(folder: Path, *words: str) -> np.ndarray:
    vgen("sample", f"output={folder}", "format=npy", "count=2", *words)
    return np.stack([np.load(file) for file in sorted(folder.iterdir())])


def test_a_chain_of_any_length_in_chunks(runs: tuple[Path, Path], tmp_path: Path) -> None:
    small, large = runs
    chain = (f"checkpoint={large}", f"small={small}", "start=-5")
    whole = clips(tmp_path / "whole", *chain, "frames=14")
    assert whole.shape == (2, 14, 16, 16, 3)
    pieces = clips(tmp_path / "pieces", *chain, "frames=14", "chunk=5")
    assert np.abs(whole.astype(int) - pieces).max() <= 1
    assert np.array_equal(whole, clips(tmp_path / "one", *chain, "frames=14", "batch=1"))
    assert not np.array_equal(whole, clips(tmp_path / "seed", *chain, "frames=14", "seed=1"))
    assert not np.array_equal(whole, clips(tmp_path / "mean", *chain, "frames=14", "truncation.content=0"))


def test_without_a_chain_clips_of_the_data_are_made_small_and_large_again(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    _, large = runs
    made = clips(tmp_path / "data", f"checkpoint={large}", "frames=5")
    assert made.shape == (2, 5, 16, 16, 3)
    vgen("sample", f"checkpoint={large}", f"output={tmp_path / 'video'}", "format=mp4", "count=1", "frames=5")
    own = clips(tmp_path / "own", f"checkpoint={large}", f"given={tmp_path / 'video'}", "frames=5")
    assert not np.array_equal(own, made)
    assert (large / "samples" / "000000.016.mp4").is_file()
    codes = read_codes(large, count=2, seed=0, device=pick_device("cpu"))
    assert "given" in codes.latents


def test_evaluations_say_what_the_fakes_were_made_from(runs: tuple[Path, Path], tmp_path: Path) -> None:
    small, large = runs
    keys = (f"checkpoint={large}", "protocol=quick", "protocol.count=6", "features_cache=false")
    stamps = []
    for name, more in (("chained", [f"small={small}"]), ("real", [])):
        vgen("evaluate", *keys, *more, f"output={tmp_path / name}")
        result = json.loads((tmp_path / name / "metrics.json").read_text())
        stamps.append(result["metrics"]["fvd/embedded"]["stamp"])
        assert ("small" in result["protocol"]) == (name == "real")
        fake = result["fake"]
        assert fake["source"] == str(large / "checkpoints" / "best.ckpt")
        if name == "chained":
            told = fake["small"]
            assert told["source"] == str(small / "checkpoints" / "best.ckpt")
            assert told["kclips"] > 0
            assert told["fingerprint"] != fake["fingerprint"]
        else:
            assert "small" not in fake
    assert "from8px" in stamps[1]
    assert "from8px" not in stamps[0]


def test_what_cannot_be_chained_is_told(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, large = runs

    def told(*words: str) -> str:
        return error_of(capsys, "sample", f"output={tmp_path / 'x'}", *words)

    assert "enlarges no clips" in told(f"checkpoint={small}", f"small={small}")
    assert "must itself be given clips" in told(f"checkpoint={large}", f"small={large}")
    assert " small=missing: there is no such" in told(f"checkpoint={large}", "small=missing")
    assert "begin at 0" in told(f"checkpoint={large}", "start=-5")
    assert "makes frames at multiples of 1" in told(
        f"checkpoint={large}", f"small={small}", "frames=4", "stride=0.5"
    )
    assert "is given no frames" in told(f"checkpoint={small}", f"given={tmp_path}")
    folders = f"real={tmp_path}", f"fake={tmp_path}"
    assert "goes with checkpoint" in error_of(capsys, "evaluate", *folders, f"small={small}")


def test_the_two_runs_must_have_seen_the_same_data() -> None:
    class Told:
        """A generator of 3 classes that does not read times."""

        classes, reads_times = 3, False

    def trained(**changes: Any) -> Trained:
        clip = {"channels": 3, "stride": 1, "class_names": ["a", "b", "c"]} | changes
        config = OmegaConf.create({"clip": clip, "data": {"fps": changes.get("fps")}})
        return Trained(nn.Identity(), cast(Any, Told()), config, Path("x"), None, 0.0)

    assert _difference(trained(), trained()) is None
    for change, message in (
        ({"channels": 1}, "of 3 channels, not of 1"),
        ({"fps": 15.0}, "videos as stored, the small one on videos at 15 frames"),
        ({"stride": 4}, "always 4 apart"),
        ({"class_names": ["a", "c", "b"]}, "classes are a, b, c, those of the small one a, c, b"),
    ):
        assert message in str(_difference(trained(**change), trained()))


def test_a_picture_is_enlarged_by_itself(runs: tuple[Path, Path], tmp_path: Path) -> None:
    """Also where training cuts the ends of clips off."""
    _, large = runs
    picture = tmp_path / "picture.png"
    Image.new("RGB", (16, 16), (90, 90, 90)).save(picture)
    made = clips(tmp_path / "made", f"checkpoint={large}", f"given={picture}", "frames=1")
    assert made.shape == (2, 1, 16, 16, 3)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [pytest.param(SMALL, id="small"), pytest.param(LARGE, id="large")])
def test_a_resumed_run_is_the_same_run(stage: tuple[str, ...], tmp_path: Path) -> None:
    def weights(name: str, *kclips: str) -> dict[str, torch.Tensor]:
        folder = tmp_path / name
        for until in kclips:
            vgen(
                "train", *TINY, *stage, f"output={folder}", f"kclips={until}", "metric_every=100", "sample_every=100"
            )  # fmt: skip
        return read_checkpoint(folder / "checkpoints" / "last.ckpt")["state_dict"]

    at_once, resumed = weights("once", "0.016"), weights("twice", "0.008", "0.016")
    assert any("magnitude" in name for name in at_once)
    for name, value in at_once.items():
        assert torch.equal(value, resumed[name]), name
