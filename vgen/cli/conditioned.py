"""From a configuration to its generator, inside what conditions it."""

from typing import Any

from omegaconf import DictConfig
from torch import nn

from vgen.condition.conditioned import Conditioned
from vgen.config import ConfigError, instantiate


def build_generator(config: DictConfig) -> Any:
    """The generator of a run, told what `config.condition` names; the generator itself where that is nothing."""
    generator = instantiate(config.generator)
    conditions: dict[str, nn.Module] = {
        # an experiment's settings for a condition that is not chosen are no condition
        str(name): instantiate(node)
        for name, node in config.get("condition", {}).items()  # runs from before conditions have none
        if "_target_" in node
    }
    if not conditions:
        return generator
    try:
        return Conditioned(generator=generator, conditions=conditions, frames=config.clip.frames)
    except ValueError as error:
        raise ConfigError(f"condition: {error}") from error
