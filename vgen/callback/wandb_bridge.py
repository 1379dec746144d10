"""Everything that speaks to Weights & Biases beyond scalars; the only file that imports wandb."""

import csv
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

_OPEN = ".open"


def start(loggers: Iterable[Logger]) -> None:
    """Begin, or continue, the W&B run, with thousand clips as the x-axis of every chart."""
    loggers = list(loggers)
    for mark in _marks(loggers):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    for run in _runs(loggers):
        run.define_metric("kclips")
        run.define_metric("*", step_metric="kclips")


def log_config(loggers: Iterable[Logger], config: dict[str, Any]) -> None:
    for run in _runs(loggers):
        run.config.update(config, allow_val_change=True)


def log_video(loggers: Iterable[Logger], name: str, file: Path, kclips: float, caption: str) -> None:
    """Send a video file as media."""
    for run in _runs(loggers):
        run.log({name: wandb.Video(str(file), caption=caption), "kclips": kclips})


def repeat_rows(loggers: Iterable[Logger], table: Path, iteration: int, most: int = 1000) -> None:
    """Log offline once more what `table` (metrics.csv) says up to `iteration`.

    wandb's own process holds what it gets for some seconds before it is on disk. Where a whole machine or job was
    killed, that is lost; the checkpoint is not. What was written nevertheless is there twice, with equal values.
    """
    runs = [run for run in _runs(loggers) if getattr(run, "offline", False)]
    if not runs or not table.is_file():
        return
    lines = [line for line in table.read_text().splitlines(keepends=True) if line.endswith("\n")]
    rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]
    before = [row for row in rows if row.get("iteration", iteration + 1) <= iteration]
    for row in before[-most:]:
        for run in runs:
            run.log({**row, "trainer/global_step": round(row["kclips"] * 1000)})


def is_offline(loggers: Iterable[Logger]) -> bool:
    return any(getattr(run, "offline", False) for run in _runs(loggers))


def log_summary(loggers: Iterable[Logger], summary: dict[str, Any]) -> None:
    for run in _runs(loggers):
        run.summary.update(summary)


def log_dataset(loggers: Iterable[Logger], facts: dict[str, Any]) -> None:
    """Record the run's data as an artifact that holds `facts`, its "name" and "fingerprint" among them.

    The videos stay where they are. The fingerprint is an alias, so that all runs on the same data are found by it.
    """
    for run in _runs(loggers):
        artifact = wandb.Artifact(_name("dataset", facts["name"]), type="dataset", metadata=facts)
        with artifact.new_file("dataset.json") as file:
            json.dump(facts, file, indent=2)
        run.log_artifact(artifact, aliases=[str(facts["fingerprint"])[:64]])


def log_checkpoint(
    loggers: Iterable[Logger],
    file: Path,
    alias: str,
    facts: dict[str, Any],
    how: Literal["reference", "upload"],
) -> None:
    """Record a checkpoint as the version `alias` of the run's model artifact; `facts` become its metadata."""
    for run in _runs(loggers):
        artifact = wandb.Artifact(_name("model", run.id), type="model", metadata=facts)
        if how == "upload":
            artifact.add_file(str(file), name=file.name)
        else:
            artifact.add_reference(file.absolute().as_uri(), name=file.name)
        run.log_artifact(artifact, aliases=[alias])


def finish(loggers: Iterable[Logger], failed: bool) -> None:
    """End the W&B run, with all of it on disk; without this the next job of a multirun would log into it."""
    loggers = list(loggers)
    runs = _runs(loggers)
    for run in runs:
        run.finish(exit_code=int(failed))
    # wandb's service may write for a moment longer (0.31: in 2 of 25 runs), and a kill would cut that off. Not where a
    # notebook has a run of its own open, which this would end.
    if runs and wandb.run is None:
        wandb.teardown()
    for mark in _marks(loggers):
        mark.unlink(missing_ok=True)


def was_cut(run: Path) -> bool:
    """Whether the last start of the run in this folder was killed before wandb had everything on disk."""
    return (run / "wandb" / _OPEN).exists()


def sync_command(loggers: Iterable[Logger]) -> str | None:
    """The command that uploads what was logged offline, by this start of the run and by earlier ones."""
    for logger in loggers:
        if isinstance(logger, WandbLogger) and logger.save_dir:
            folder = Path(logger.save_dir) / "wandb"
            if any(folder.glob("offline-run-*")):
                return f"wandb sync {shlex.quote(str(folder))}/offline-run-*"
    return None


def _runs(loggers: Iterable[Logger]) -> list[Any]:
    # On ranks other than the first `experiment` is a dummy that takes calls but has no attributes.
    if rank_zero_only.rank != 0:
        return []
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger)]


def _marks(loggers: Iterable[Logger]) -> list[Path]:
    """The file of each run that is there between `start` and `finish`."""
    folders = [logger.save_dir for logger in loggers if isinstance(logger, WandbLogger)]
    return [Path(folder) / "wandb" / _OPEN for folder in folders if folder]


def _name(kind: str, of: str) -> str:
    """A name that W&B takes: letters, digits, dots, dashes and underscores."""
    return f"{kind}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', of)}"[:128]
