"""`start_from=`: a run that begins with the weights of another."""

import json
import re
from pathlib import Path

import pytest
import torch

from vgen.cli.main import main
from vgen.training.checkpoint import read_checkpoint

TINY = [
    "debug=fast", "clip.size=16", "clip.frames=4", "batch=4", "kclips=0.008", "generator.synthesis.base_channels=4",
    "discriminator.base_channels=4", "data.videos=8", "callback=[progress,checkpoint,export,provenance]",
    "logger=[csv]", "augment=none",
]  # fmt: skip


def state(run: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("source") / "run"
    main(["train", *TINY, f"output={run}"])
    return run


def test_weights_are_taken_over_once_and_noted(source: Path, tmp_path: Path, capsys) -> None:
    """With a learning rate of 0 what was loaded stays; the continued run must not load it again."""
    run, still = tmp_path / "run", "optimizer.{}.lr=0"
    begin = [*TINY, f"start_from={source}", "seed=3", f"output={run}"]
    main(["train", *begin, *(still.format(player) for player in ("generator", "discriminator"))])
    said = capsys.readouterr().out
    assert f"starting from {source / 'checkpoints' / 'last.ckpt'} (0.008 kclips)" in said
    assert said.count("(100.0 % of the numbers)") == 2
    assert "average: follows the generator anew; training.ema_ramp_up=null" in said
    there, here = state(source), state(run)
    for name, value in here.items():
        if (
            name.startswith(("generator.", "discriminator."))
            and "running" not in name
            and "tracked" not in name
        ):
            assert torch.equal(value, there[name]), name
    noted = json.loads((run / "provenance.json").read_text())["started_from"]
    assert noted["file"] == str(source / "checkpoints" / "last.ckpt")
    assert noted["discriminator"]["new"] == []
    main(["train", f"resume={run}", "kclips=0.012"])
    assert "starting from" not in capsys.readouterr().out
    assert json.loads((run / "provenance.json").read_text())["started_from"] == noted


@pytest.mark.slow
def test_a_killed_run_that_started_from_another_is_the_uninterrupted_one(
    source: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    begin = [*TINY, f"start_from={source / 'checkpoints' / 'generator_ema.safetensors'}", "seed=3"]
    main(["train", *begin, f"output={one}"])
    main(["train", *begin, f"output={two}", "kclips=0.004"])
    main(["train", f"resume={two}", "kclips=0.008"])
    expected = state(one)
    for name, value in state(two).items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize(
    ("path", "changes", "message"),
    [
        ("nowhere", [], r"start_from=.*nowhere: there is no such run folder or file"),
        ("{}/metrics.csv", [], r"metrics\.csv is damaged or not a checkpoint"),
        (
            "{}",
            ["generator=tgan", "discriminator=tgan"],
            r"start_from=.*: no layer of last\.ckpt has the name and shape of one here",
        ),
    ],
)
def test_what_cannot_be_started_from_is_said_in_one_line(
    source: Path, tmp_path: Path, capsys, path: str, changes: list[str], message: str
) -> None:
    parts = [part for part in TINY if not (changes and "base_channels" in part)]
    begin = [f"start_from={path.format(source)}", f"output={tmp_path / 'run'}"]
    with pytest.raises(SystemExit):
        main(["train", *parts, *changes, "clip.frames=16", *begin])
    assert re.search(message, capsys.readouterr().err.strip().splitlines()[-1])
