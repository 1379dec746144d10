"""vgen train: one run, from a composed configuration to a run folder."""

import logging
import os
import sys
import warnings
from pathlib import Path

import hydra
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
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
from vgen.files import replacing
from vgen.launch.processes import launched_externally, other_ranks, process_count
from vgen.training.checkpoint import read_checkpoint

log = logging.getLogger("vgen")

# What may change when a run is continued: its length, the machine, and where and how often it reports.
MAY_CHANGE = {
    "kclips", "output", "paths", "trainer", "logger", "callback", "workers", "choices", "debug",
    "sample_every", "metric_every", "checkpoint_every", "log_every", "protocol", "extractor", "metric",
}  # fmt: skip


@hydra.main(config_path=str(CONF_DIR), config_name="train", version_base="1.3")
def application(config: DictConfig) -> None:
    """Train the run that `config` describes; its folder is Hydra's output folder."""
    with telling("train"):
        with open_dict(config):
            config.choices = _choices()
        train(config)


def train(config: DictConfig) -> None:
    """Train, or continue, the run in `config.paths.run`."""
    check_values(config)
    run = Path(config.paths.run)
    data = build_data(config)
    settle_classes(config, data.source)
    OmegaConf.resolve(config)
    torch.manual_seed(config.seed)  # of the initial weights
    model = build_model(config, data.sampler)
    count = process_count(config.trainer.accelerator, config.trainer.devices)
    model.check_division(count * config.trainer.num_nodes)
    data.prepare_data()
    data.setup()
    last = run / "checkpoints" / "last.ckpt"
    resume = _check_resume(run, last, plain(config)) if last.exists() else False
    config_file = run / "config.yaml"
    if not launched_externally() or os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) == "0":
        with replacing(config_file) as partial:
            partial.write_text(yaml.safe_dump(plain(config), sort_keys=False))
    worker = [sys.executable, "-m", "vgen.cli.worker", str(config_file)]
    with other_ranks(count, worker):
        fit(config, data, model, last if resume else None)
    log.info("run folder: %s", run)


def fit(config: DictConfig, data, model, checkpoint: Path | None) -> None:
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


def _check_resume(run: Path, last: Path, new: dict) -> bool:
    """True after checking that the run in the folder is this run; ConfigError naming the keys if it is not."""
    contents = read_checkpoint(last)
    saved = contents["vgen"]["config"]
    differing = differing_keys(saved, new, MAY_CHANGE)
    if differing:
        shown = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
        raise ConfigError(
            f"{run} holds a run with another configuration ({shown} differ): give the same keys to continue "
            "it, or another output= for a new run"
        )
    return True


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
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
