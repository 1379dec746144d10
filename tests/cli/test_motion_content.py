"""Motion x content grids of trained runs: `vgen sample grid=motion_content` and the report's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from commands import TINY, error_of, vgen
from PIL import Image

from vgen.cli.codes import read_codes
from vgen.report.swaps import draw_still

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    short = [
        *TINY[:2], "discriminator.base_channels=4", "data.videos=12", "kclips=0.004", "callback=[samples,export]",
        "best=null",
    ]  # fmt: skip
    vgen(
        "train",
        *short,
        f"output={folder / 'mocogan'}",
        "generator.synthesis.base_channels=4",
        "clip.classes=2",
    )
    vgen("train", *short, f"output={folder / 'vgan'}", "generator=vgan", "generator.base_channels=4")
    return {name: folder / name for name in ("mocogan", "vgan")}


def test_sample_writes_the_grid_row_by_row(runs: dict[str, Path], tmp_path: Path) -> None:
    vgen("sample", f"checkpoint={runs['mocogan']}", f"output={tmp_path / 'a'}", "grid=motion_content", "count=4",
         "format=npy")  # fmt: skip
    vgen("sample", f"checkpoint={runs['mocogan']}", f"output={tmp_path / 'b'}", "count=2", "format=npy")
    grid, plain = ([np.load(f) for f in sorted((tmp_path / name).iterdir())] for name in "ab")
    assert len(grid) == 4
    np.testing.assert_array_equal(grid[0], plain[0])
    np.testing.assert_array_equal(grid[3], plain[1])
    codes = read_codes(runs["mocogan"], count=2, seed=0, device=CPU)
    assert codes.grid is not None
    vgen("sample", f"checkpoint={runs['mocogan']}", f"output={tmp_path / 'c'}", "grid=motion_content", "count=4",
         "format=png")  # fmt: skip
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "c.png")), draw_still(codes.grid))
    np.testing.assert_array_equal(codes.grid.reshape(4, *codes.grid.shape[2:]), np.stack(grid))


def test_what_makes_no_grid_is_refused(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = ("sample", f"checkpoint={runs['vgan']}", f"output={tmp_path}")
    assert "it has z" in error_of(capsys, *sample, "grid=motion_content")
    assert "9 or 16" in error_of(capsys, *sample, "grid=motion_content", "count=12")
    assert "choose motion_content" in error_of(capsys, *sample, "grid=4x4")


def test_codes_tell_what_a_generator_draws(runs: dict[str, Path]) -> None:
    one, other = (read_codes(runs[name], count=2, seed=0, device=CPU) for name in ("mocogan", "vgan"))
    assert list(one.latents) == ["content", "motion_start", "motion_noise"]
    assert list(other.latents) == ["z"]
    assert other.grid is None
    assert one.checkpoint == "last.ckpt, 0.004 kclips"
    assert one.latents == read_codes(runs["mocogan"], count=2, seed=5, device=CPU).latents


def test_report_shows_both(runs: dict[str, Path], tmp_path: Path) -> None:
    vgen("report", f"runs={runs['mocogan'].parent}", f"output={tmp_path}", "grid=2")
    page = (tmp_path / "report.html").read_text()
    assert (tmp_path / "figures" / "motion_content_1.pdf").is_file()
    assert "No grid of generator=vgan" in page
    assert "No part is the same for all." in page


def test_paths_of_jobs_with_commas_are_taken_as_they_are(runs: dict[str, Path], tmp_path: Path) -> None:
    job = tmp_path / "loss=hinge,seed=1"
    job.symlink_to(runs["mocogan"])
    vgen("report", f"runs={job}", f"output={tmp_path / 'out'}", "grid=0")
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report"], "runs=... or wandb=... must be given"),
        (["report", "runs=.", "group=x"], "group=x chooses runs of W&B"),
        (["report", "runs=.", "grid=99"], "grid=99: must be a whole number from 0"),
    ],
)
def test_report_says_what_is_wrong(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in error_of(capsys, *arguments)
