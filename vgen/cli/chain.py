"""A run that enlarges clips behind the run that makes them."""

from dataclasses import replace

import torch

from vgen.cli.load import Trained, load_trained
from vgen.clip import is_given, small_size
from vgen.config import ConfigError
from vgen.training.chained import Chained


def chain(trained: Trained, small: str | None, device: torch.device) -> Trained:
    """`trained`, making large what the run or checkpoint `small` makes; as it is without.

    Raises:
        ConfigError: the two do not fit.
    """
    if small is None:
        return trained
    if not small_size(trained.generator):
        raise ConfigError(
            f"small={small}: the generator of {trained.file} enlarges no clips; train generator=longvideogan_sres"
        )
    first = load_trained(small, device)
    if is_given(first.generator):
        raise ConfigError(f"small={small}: this generator must itself be given clips")
    channels = first.config.clip.channels, trained.config.clip.channels
    if channels[0] != channels[1]:
        raise ConfigError(f"small={small}: it makes {channels[0]} channels, not {channels[1]}")
    try:
        generator = Chained(
            first.generator,
            trained.generator,
            size=first.config.clip.size,
            step=trained.config.clip.stride,
        )
    except ValueError as error:
        raise ConfigError(f"small={small}, checkpoint={trained.file}: {error}") from error
    return replace(trained, generator=generator.eval(), contract=generator)
