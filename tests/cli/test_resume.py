"""`resume=`: the run's own command, found in its folder."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from vgen.cli.main import main
from vgen.cli.resume import resumed_arguments
from vgen.config import ConfigError
from vgen.training.checkpoint import read_checkpoint

TINY = [
    "debug=fast", "clip.size=16", "generator.synthesis.base_channels=4", "discriminator.base_channels=4",
    "data.videos=12", "callback=[progress,checkpoint,export,provenance]", "logger=[csv]",
]  # fmt: skip


def made(run: Path, *overrides: str, finished: bool = False, config_dir: str | None = None) -> Path:
    """A folder as Hydra and vgen leave it."""
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    sources = [{"path": "hydra.conf", "provider": "hydra"}]
    if config_dir:
        sources.append({"path": config_dir, "provider": "command-line"})
    (run / ".hydra" / "hydra.yaml").write_text(
        yaml.safe_dump({"hydra": {"runtime": {"config_sources": sources}}})
    )
    (run / "provenance.json").write_text(json.dumps({"finished": "2026-01-01"} if finished else {}))
    return run


@pytest.mark.parametrize(
    "parts",
    [
        [],
        ["generator=styleganv", "generator.content_dim=8", "generator.motion.motion_dim=8", "augment=ada",
         "augment.interval=1", "discriminator=styleganv", "discriminator.max_channels=8", "sampler=sparse",
         "condition=[frames,codes]", "regularizer=[r1,first_frame,path_length]"],
        pytest.param(
            ["generator=stylesv", "generator.content_dim=8", "generator.motion.motion_dim=8",
             "generator.synthesis.layers=4", "discriminator=stylesv", "discriminator.max_channels=8",
             "sampler=sparse", "regularizer=[r1,path_length]"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["plain", "told", "magnitudes"],
)  # fmt: skip
def test_a_resumed_run_is_the_uninterrupted_run(tmp_path: Path, parts: list[str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    short = [*TINY, "seed=5", *parts, *(["clip.frames=3"] if parts else [])]
    main(["train", *short, f"output={one}"])
    main(["train", *short, f"output={two}", "kclips=0.008"])
    main(["train", f"resume={two}", "kclips=0.016"])
    first, second = (read_checkpoint(run / "checkpoints" / "last.ckpt") for run in (one, two))
    assert first["vgen"]["iteration"] == second["vgen"]["iteration"] == 4
    for name, value in first["state_dict"].items():
        assert torch.equal(value, second["state_dict"][name]), name


def test_new_overrides_replace_recorded_ones_and_the_config_folder_is_remembered(tmp_path: Path) -> None:
    run = made(tmp_path / "run", "loss=hinge", "kclips=1", "output=elsewhere", config_dir="/mine")
    found = resumed_arguments([f"resume={run}", "kclips=2"])
    assert found == ["--config-dir", "/mine", "loss=hinge", "kclips=2", f"output={run}"]


def test_auto_finds_the_newest_unfinished_run_of_the_same_command(tmp_path: Path) -> None:
    overrides = [f"paths.root={tmp_path}", "seed=1"]
    assert resumed_arguments([*overrides, "resume=auto"]) == overrides
    made(tmp_path / "train" / "2026-01-01_00-00-00", *overrides, finished=True)
    made(tmp_path / "train" / "2026-01-01_00-00-01", *overrides[:1], "seed=2")
    assert resumed_arguments([*overrides, "resume=auto"]) == overrides
    run = made(tmp_path / "train" / "2026-01-01_00-00-02", *reversed(overrides))
    assert resumed_arguments([*overrides, "resume=auto"]) == [*overrides, f"output={run}"]


def test_what_cannot_be_resumed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run of vgen train there"):
        resumed_arguments([f"resume={tmp_path}"])
    with pytest.raises(ConfigError, match="for one run"):
        resumed_arguments(["-m", "seed=1,2", "resume=auto"])
    assert resumed_arguments(["seed=1"]) == ["seed=1"]
