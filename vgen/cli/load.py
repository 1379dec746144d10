"""A trained generator from a run folder, a checkpoint or an exported safetensors file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import DictConfig, OmegaConf
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from vgen.cli.conditioned import build_generator
from vgen.clip import Generator, as_generator
from vgen.config import ConfigError, plain
from vgen.training.checkpoint import CheckpointError, find_checkpoint, load_weights, read_checkpoint
from vgen.training.objective import prepare

_AVERAGE = "generator_average.module."


@dataclass(frozen=True)
class Trained:
    """An averaged generator in evaluation mode.

    Attributes:
        generator, contract: the same network, as a module and under its contract.
        config: of the run that trained it.
        file: the checkpoint it came from.
        run: the run folder, or None if the file lies outside one.
        kclips: how long it was trained.
        small: the model whose clips this one enlarges (`vgen.cli.chain`).
    """

    generator: nn.Module
    contract: Generator
    config: DictConfig
    file: Path
    run: Path | None
    kclips: float
    small: "Trained | None" = None


def load_trained(path: str, device: torch.device, key: str = "checkpoint") -> Trained:
    """Load the averaged generator that `path`, given as `key`, stands for (see `find_checkpoint`).

    Raises FileNotFoundError or CheckpointError with one line for missing, damaged or foreign files.
    """
    file = find_checkpoint(path, key)
    weights, config, kclips = read_exported(file) if file.suffix == ".safetensors" else _checkpoint(file)
    _require_modules(config.generator, file)
    _require_modules(config.get("condition"), file)
    generator = build_generator(config)
    _prepare(generator, config)
    load_weights(generator, weights, file)
    run = file.parent.parent
    return Trained(
        generator=generator.eval().requires_grad_(False).to(device),
        contract=as_generator(generator),
        config=config,
        file=file,
        run=run if (run / "config.yaml").is_file() else None,
        kclips=kclips,
    )


def _prepare(generator: nn.Module, config: DictConfig) -> None:
    """Reparametrise the network as its run did. No other regulariser is built, and none needs to be importable."""
    rules = {}
    for name, node in config.regularizer.items():
        try:
            kind = hydra.utils.get_object(node._target_) if "_target_" in node else None
        except ImportError:
            continue
        if isinstance(kind, type) and hasattr(kind, "prepare") and hasattr(kind, "differentiates"):
            # Called with plain values and not instantiated: nothing inside it is built from the file.
            rules[str(name)] = kind(**{k: v for k, v in plain(node).items() if k != "_target_"})
    prepare(rules, "generator", generator)


def pick_device(name: str) -> torch.device:
    """`auto` is the first CUDA device if there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device={name}: choose auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device={name}: no CUDA device on this machine")
    return device


def _require_modules(node: Any, file: Path) -> None:
    """A checkpoint says which classes to build; only networks are, lest a stranger's file call something else."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            target = hydra.utils.get_object(node._target_)
            if not (isinstance(target, type) and issubclass(target, nn.Module)):
                raise CheckpointError(
                    f"checkpoint {file}: its generator is made of {node._target_}, which is no network"
                )
        for value in node.values():
            _require_modules(value, file)


def _checkpoint(file: Path) -> tuple[dict[str, Tensor], DictConfig, float]:
    contents = read_checkpoint(file)
    prefix = len(_AVERAGE)
    weights = {k[prefix:]: v for k, v in contents["state_dict"].items() if k.startswith(_AVERAGE)}
    config = _config(contents["vgen"]["config"])
    clips_per_step = config.training.batch * config.training.d_steps
    return weights, config, contents["vgen"]["iteration"] * clips_per_step / 1000


def read_exported(file: Path) -> tuple[dict[str, Tensor], DictConfig, float]:
    """Weights, config and thousand clips of a generator that `vgen.callback.export` wrote; CheckpointError else."""
    try:
        with safe_open(file, framework="pt") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"checkpoint {file} is damaged or not a safetensors file ({error})") from error
    if "config" not in metadata:
        raise CheckpointError(f"{file} was not exported by vgen train: it carries no config")
    return weights, _config(json.loads(metadata["config"])), float(metadata["kclips"])


def _config(values: dict[str, Any]) -> DictConfig:
    config = OmegaConf.create(values)
    OmegaConf.set_struct(config, True)
    return config
