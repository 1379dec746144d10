"""Everything that speaks to Weights & Biases beyond scalars; the only file that imports wandb."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger


def set_axis(loggers: Iterable[Logger]) -> None:
    """Make thousand clips the x-axis of every chart."""
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


def log_summary(loggers: Iterable[Logger], summary: dict[str, Any]) -> None:
    for run in _runs(loggers):
        run.summary.update(summary)


def finish(loggers: Iterable[Logger], failed: bool) -> None:
    """End the W&B run; without this the next job of a multirun would log into it."""
    for run in _runs(loggers):
        run.finish(exit_code=int(failed))


def _runs(loggers: Iterable[Logger]) -> list[Any]:
    # On ranks other than the first `experiment` is a dummy that swallows every call.
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger)]
