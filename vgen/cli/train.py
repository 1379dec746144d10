"""vgen train: one run, from a composed configuration to a run folder."""

import logging
import os
import sys
import uuid
import warnings
from pathlib import Path
from typing import Any

import hydra
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from vgen.callback import wandb_bridge
from vgen.cli.build import (
    build_data,
    build_model,
    build_trainer,
    check_values,
    differing_keys,
    settle_classes,
)
from vgen.cli.errors import telling
from vgen.config import CONF_DIR, ConfigError, plain
from vgen.data.module import ClipDataModule
from vgen.files import replacing
from vgen.launch.processes import other_ranks, process_count
from vgen.training.checkpoint import read_checkpoint
from vgen.training.video_gan import VideoGAN

log = logging.getLogger("vgen")

# What may change when a run is continued: its length, the machine, and where and how often it reports.
MAY_CHANGE = {
    "kclips", "output", "run_id", "paths", "trainer", "logger", "callback", "workers", "choices", "debug",
    "sample_every", "metric_every", "checkpoint_every", "log_every", "protocol", "extractor", "metric",
}  # fmt: skip


@hydra.main(config_path=str(CONF_DIR), config_name="train", version_base="1.3")
def application(config: DictConfig) -> None:
    """Train the run that `config` describes; its folder is Hydra's output folder."""
    with open_dict(config):
        config.choices = _choices()
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        # The sweep goes on after a job that fails, and reports the failure at its end.
        train(config)
    else:
        with telling("train"):
            train(config)


def train(config: DictConfig) -> None:
    """Train, or continue, the run in `config.paths.run`."""
    check_values(config)
    run = Path(config.paths.run)
    if OmegaConf.select(config, "data.path"):
        config.data.path = str(Path(config.data.path).expanduser().absolute())
    data = build_data(config)
    settle_classes(config, data.source)
    last = run / "checkpoints" / "last.ckpt"
    saved = read_checkpoint(last)["vgen"]["config"] if last.exists() else None
    if config.run_id is None:
        config.run_id = saved["run_id"] if saved else uuid.uuid4().hex[:12]
    OmegaConf.resolve(config)
    torch.manual_seed(config.seed)  # of the initial weights
    model = build_model(config, data.sampler)
    if saved:
        _check_same_run(run, saved, plain(config))
    count = process_count(config.trainer.accelerator, config.trainer.devices)
    model.check_division(count * config.trainer.num_nodes)
    data.prepare_data()
    data.setup()
    config_file = run / "config.yaml"
    if _first_process():
        with replacing(config_file) as partial:
            partial.write_text(yaml.safe_dump(plain(config), sort_keys=False))
    worker = [sys.executable, "-m", "vgen.cli.worker", str(config_file)]
    with other_ranks(count, worker):
        fit(config, data, model, last if saved else None)
    log.info("run folder: %s", run)


def fit(config: DictConfig, data: ClipDataModule, model: VideoGAN, checkpoint: Path | None) -> None:
    """Build the trainer and fit; every rank does this."""
    _quiet()
    trainer = build_trainer(config)
    failed = True
    try:
        wandb_bridge.set_axis(trainer.loggers)
        wandb_bridge.log_config(trainer.loggers, plain(config))
        if checkpoint is None:
            log.info("training to %g kclips in %s", config.kclips, config.paths.run)
        else:
            log.info("continuing %s to %g kclips", checkpoint, config.kclips)
        resumed = None if checkpoint is None else str(checkpoint)
        trainer.fit(model, datamodule=data, ckpt_path=resumed, weights_only=True)
        failed = trainer.interrupted
    finally:
        wandb_bridge.finish(trainer.loggers, failed=failed)
    if trainer.interrupted:
        raise KeyboardInterrupt


def _check_same_run(run: Path, saved: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise ConfigError, naming the keys, if the run in the folder is another than the one asked for."""
    differing = differing_keys(saved, new, MAY_CHANGE)
    if differing:
        shown = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
        raise ConfigError(
            f"{run} holds a run with another configuration ({shown} differ): give the same keys to continue "
            "it, or another output= for a new run"
        )


def _first_process() -> bool:
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    return next((os.environ[name] for name in names if name in os.environ), "0") == "0"


def _choices() -> dict:
    """Group -> chosen option, as the report names runs by them."""
    chosen = HydraConfig.get().runtime.choices
    return {
        group: value
        for group, value in plain(chosen).items()
        if not group.startswith("hydra") and value is not None
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
        ".*module.s. in eval mode at the start of training.*",  # the averaged generator always is
        ".*manual optimization and every_n_train_steps.*",  # after the step is what is wanted
        ".*isinstance.treespec, LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", message=pattern)
    for name in (
        "pytorch_lightning.utilities.rank_zero",
        "pytorch_lightning.trainer.connectors.checkpoint_connector",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
