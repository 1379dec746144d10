"""vgen train: one run, from a composed configuration to a run folder."""

import logging
import os
import sys
import traceback
import uuid
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning import Trainer

from vgen.callback import wandb_bridge
from vgen.callback.csv_logger import MetricsCSV
from vgen.cli.build import (
    build_data,
    build_model,
    build_trainer,
    check_values,
    differing_keys,
    settle_classes,
)
from vgen.cli.errors import telling, user_message
from vgen.cli.precision import settle_precision
from vgen.cli.resume import read_config, record_command
from vgen.cli.roles import settle_extractors
from vgen.cli.start_from import start_from
from vgen.config import CONF_DIR, ConfigError, plain
from vgen.data.module import ClipDataModule
from vgen.data.storage import absolute
from vgen.files import replacing
from vgen.launch.outcome import direction, is_finished, objective
from vgen.launch.plugins import register
from vgen.launch.processes import other_ranks, process_count
from vgen.launch.run_folders import PLACE
from vgen.launch.run_lock import alone_in
from vgen.training.checkpoint import CheckpointError, read_checkpoint
from vgen.training.video_gan import VideoGAN

log = logging.getLogger("vgen")
register()

# What may change when a run is continued: its length, the machine, and where, how often and on what it reports.
MAY_CHANGE = PLACE | {"metric_every", "protocol", "extractor", "metric", "best"}


@hydra.main(config_path=str(CONF_DIR), config_name="train", version_base="1.3")
def application(config: DictConfig) -> float | None:
    """Train the run that `config` describes; its folder is Hydra's output folder. Returns what a search compares."""
    with open_dict(config):
        config.choices = _choices()
        sweep = plain(config.pop("sweep", None))  # a run is the same inside a sweep and outside
    if HydraConfig.get().mode != RunMode.MULTIRUN:
        with telling("train"):
            train(config)
        return None
    try:
        train(config)
        if sweep and "metric" in sweep and _first_process():
            mode = direction(sweep["metric"], sweep["mode"])
            return objective(Path(config.paths.run), sweep["metric"], sweep["take"], mode)
    except Exception as error:
        # The sweep goes on after a job that fails, and reports the failures at its end.
        log.error("%s failed: %s", config.paths.run, user_message(error, "train") or traceback.format_exc())
        raise
    return None


def train(config: DictConfig) -> None:
    """Train, or continue, the run in `config.paths.run`."""
    check_values(config)
    if config.resume is not None:
        raise ConfigError("resume= acts before the configuration is composed: give it on the command line")
    run = Path(config.paths.run)
    with alone_in(run) if _first_process() else nullcontext():
        _train(config, run)


def _train(config: DictConfig, run: Path) -> None:
    for key in ("path", "split_file", "labels"):
        value = config.data.get(key)
        if value and (key != "labels" or value.lower().endswith((".csv", ".json"))):
            config.data[key] = absolute(value)
    if config.start_from is not None:
        config.start_from = absolute(str(config.start_from))
    data = build_data(config)
    settle_classes(config, data.source)
    last = run / "checkpoints" / "last.ckpt"
    reached = _read_last(last)
    saved = reached["config"] if reached else _config_of_finished(run)
    settle_precision(config, saved)
    if "metrics" in config.callback:
        settle_extractors(config)
    config_file = run / "config.yaml"
    if config.run_id is None:
        config.run_id = saved["run_id"] if saved else _begun_run_id(config_file, config) or _new_run_id()
    OmegaConf.resolve(config)
    torch.manual_seed(config.seed)  # of the initial weights
    model = build_model(config, data.sampler)
    if saved:
        _check_same_run(run, saved, plain(config))
    if saved and _is_complete(run, config, reached, saved):
        log.info("finished already: %s", run)
        return
    count = process_count(config.trainer.accelerator, config.trainer.devices)
    model.check_division(count * config.trainer.num_nodes)
    if config.start_from is not None and not reached:
        start_from(model, config.start_from)
    if _first_process():
        record_command(run)
    data.prepare_data()
    data.setup()
    if _first_process():
        _clear_up(run)
        with replacing(config_file) as partial:
            partial.write_text(yaml.safe_dump(plain(config), sort_keys=False))
    worker = [sys.executable, "-m", "vgen.cli.worker", "train", str(config_file)]
    with other_ranks(count, worker):
        fit(config, data, model, last if reached else None, reached["iteration"] if reached else 0)
    log.info("run folder: %s", run)


def fit(
    config: DictConfig, data: ClipDataModule, model: VideoGAN, checkpoint: Path | None, reached: int
) -> None:
    """Build the trainer and fit, from a checkpoint that `reached` this iteration; every rank does this."""
    _quiet()
    trainer = build_trainer(config)
    failed = True
    try:
        wandb_bridge.start(trainer.loggers)
        wandb_bridge.log_config(trainer.loggers, plain(config))
        if checkpoint is None:
            log.info("training to %g kclips in %s", config.kclips, config.paths.run)
        else:
            log.info("continuing %s to %g kclips", checkpoint, config.kclips)
            for logger in trainer.loggers:
                if isinstance(logger, MetricsCSV):
                    logger.check(reached)
            wandb_bridge.repeat_rows(trainer.loggers, Path(config.paths.run) / "metrics.csv", reached)
        resumed = None if checkpoint is None else str(checkpoint)
        trainer.fit(model, datamodule=data, ckpt_path=resumed, weights_only=True)
        _end_if_skipped(trainer, model)
        failed = trainer.interrupted
    except SystemExit as end:
        if isinstance(
            end.__context__, KeyboardInterrupt
        ):  # which Lightning turns into an exit without a word
            raise KeyboardInterrupt from None
        raise
    finally:
        wandb_bridge.finish(trainer.loggers, failed=failed)
        upload = wandb_bridge.sync_command(trainer.loggers)
        if upload and trainer.is_global_zero:
            log.info("logged offline; to upload: %s", upload)
    if trainer.interrupted:
        raise KeyboardInterrupt


def _end_if_skipped(trainer: Trainer, model: VideoGAN) -> None:
    """Give a run that was killed between its last step and its end what comes at the end.

    Lightning does not enter the loop of a run whose checkpoint has all steps, and calls none of its hooks.
    """
    entered = model.step_started > 0  # set when training starts
    if entered or trainer.interrupted:
        return
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        callback.on_train_start(trainer, model)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        callback.on_train_end(trainer, model)


def _check_same_run(run: Path, saved: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise ConfigError, naming the keys, if the run in the folder is another than the one asked for."""
    differing = differing_keys(saved, new, MAY_CHANGE)
    if differing:
        shown = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
        raise ConfigError(
            f"{run} holds a run with another configuration ({shown} differ): give the same keys to continue "
            "it, or another output= for a new run"
        )


def _read_last(last: Path) -> dict[str, Any] | None:
    """What vgen keeps in last.ckpt, None where there is none yet; a damaged one is told with what to do."""
    if not last.exists():
        return None
    try:
        return read_checkpoint(last)["vgen"]
    except CheckpointError as error:
        others = sorted(file.name for file in last.parent.glob("*.ckpt") if file != last)
        instead = f" or a copy of {' or '.join(others[-2:])}" if others else ""
        raise CheckpointError(
            f"{error}; to continue, put back a good copy of it{instead} under its name, or remove it to begin anew"
        ) from error


def _config_of_finished(run: Path) -> dict[str, Any] | None:
    """The configuration of a finished run whose last.ckpt was removed: it is not trained anew unasked."""
    if not is_finished(run):
        return None
    saved = read_config(run / "config.yaml")
    if saved is None:
        raise ConfigError(
            f"{run} holds a finished run without last.ckpt and config.yaml: give another output="
        )
    return saved


def _is_complete(
    run: Path, config: DictConfig, reached: dict[str, Any] | None, saved: dict[str, Any]
) -> bool:
    """Whether nothing is left to do; ConfigError if a run is to be made longer without a checkpoint."""
    asked = config.trainer.max_steps
    if reached:
        return is_finished(run) and not wandb_bridge.was_cut(run) and reached["iteration"] >= asked
    if saved["trainer"]["max_steps"] >= asked:
        return True
    raise ConfigError(
        f"{run} was finished at {saved['kclips']:g} kclips and its checkpoints/last.ckpt is gone: put it back to "
        "go on, or give another output= for a new run"
    )


def _begun_run_id(config_file: Path, config: DictConfig) -> str | None:
    """The id of the same run if it was begun in this folder but killed before its first checkpoint."""
    begun = read_config(config_file)
    return None if begun is None or differing_keys(begun, plain(config), MAY_CHANGE) else begun["run_id"]


def _clear_up(run: Path) -> None:
    """Remove what a kill left half-written: nothing reads it, and it may be as large as a checkpoint."""
    for folder in (run, run / "checkpoints", run / "samples"):
        for partial in folder.glob(".*.partial*"):
            partial.unlink(missing_ok=True)


def _new_run_id() -> str:
    """A new id; under a W&B agent that of the run which it has begun."""
    started = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
    return started or uuid.uuid4().hex[:12]


def _first_process() -> bool:
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    return next((os.environ[name] for name in names if name in os.environ), "0") == "0"


def _choices() -> dict:
    """Group -> chosen option, as the report names runs by them."""
    chosen = HydraConfig.get().runtime.choices
    return {
        group: value
        for group, value in plain(chosen).items()
        if not group.startswith(("hydra", "sweep")) and value is not None
    }


def _quiet() -> None:
    """Silence advice of Lightning that does not apply here."""
    for pattern in (
        ".*does not have many workers.*",
        ".*The `srun` command is available.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*resuming from a checkpoint that ended before the epoch ended.*",  # the sampler's position is restored
        ".*find_unused_parameters=True was specified.*",
        ".*could not find the monitored key.*",
        ".*The dirpath has changed from.*",  # a run folder may be moved: BestModelCheckpoint follows it
        ".*module.s. in eval mode at the start of training.*",  # the averaged generator always is
        ".*manual optimization and every_n_train_steps.*",  # after the step is what is wanted
        ".*isinstance.treespec, LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", message=pattern)
    for name in (
        "pytorch_lightning.utilities.rank_zero",
        "pytorch_lightning.trainer.connectors.checkpoint_connector",
        "pytorch_lightning.trainer.connectors.signal_connector",  # vgen.callback.preemption takes the signals
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
