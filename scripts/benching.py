"""What the bench scripts share: their arguments, a run as `vgen train` would make it, and two sides that take turns."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback

from vgen.cli.build import build_data, build_model, build_trainer, settle_classes
from vgen.cli.precision import settle_precision
from vgen.cli.train import _quiet
from vgen.config import CONF_DIR
from vgen.data.module import ClipDataModule

NETWORKS = ["experiment=mocogan_shapes"]


def arguments(own: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The script's `own` arguments, as given or by default, and the words of `vgen train`; without words, NETWORKS."""
    given = dict(a.split("=", 1) for a in sys.argv[1:] if a.split("=")[0] in own)
    return {**own, **given}, [a for a in sys.argv[1:] if a.split("=")[0] not in own] or NETWORKS


def compose(words: list[str]) -> DictConfig:
    """The configuration of `vgen train WORDS`."""
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra.compose("train", overrides=words)


def settled(config: DictConfig, steps: int) -> ClipDataModule:
    """The data of a run of `steps` steps; in `config`, what follows from the data and the machine is filled in."""
    config.kclips = steps * config.batch * config.training.d_steps / 1000
    data = build_data(config)
    settle_classes(config, data.source)
    settle_precision(config)
    OmegaConf.resolve(config)
    _quiet()
    return data


class Interleave(Callback):
    """After every `steps` steps of the trainer lets `other` do as many; `seconds` holds the rounds of both sides."""

    def __init__(self, other: Callable[[], None], steps: int) -> None:
        self.other, self.steps = other, steps
        self.seconds: dict[str, list[float]] = {"vgen": [], "other": []}
        self.start = 0.0

    def on_train_start(self, *_: Any) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        if module.iteration % self.steps:
            return
        now = time.perf_counter()
        self.seconds["vgen"].append(now - self.start)
        for _step in range(self.steps):
            self.other()
        self.start = time.perf_counter()
        self.seconds["other"].append(self.start - now)


def train_beside(
    other: Callable[[], None], config: DictConfig, data: ClipDataModule, steps: int
) -> tuple[list[float], list[float]]:
    """Seconds of each round of `steps` steps of the run and of `other`, without the first round, which warms up."""
    interleave = Interleave(other, steps)
    trainer = build_trainer(config)
    trainer.callbacks.append(interleave)  # pyright: ignore[reportAttributeAccessIssue]
    trainer.fit(build_model(config, data.sampler), datamodule=data)
    return interleave.seconds["vgen"][1:], interleave.seconds["other"][1:]
