"""A run that enlarges clips behind the run that makes them."""

from collections.abc import Callable
from dataclasses import replace

import torch
from omegaconf import OmegaConf

from vgen.cli.load import Trained, load_trained
from vgen.clip import is_given, small_size
from vgen.config import ConfigError
from vgen.training.chained import Chained


def chain(
    trained: Trained,
    small: str | None,
    device: torch.device,
    change: Callable[[Trained], Trained] = lambda first: first,
) -> Trained:
    """`trained`, making large what the run or checkpoint `small` makes; as it is without.

    Args:
        change: of the model that makes the clips: the small one, or `trained` without one.

    Raises:
        ConfigError: the two do not fit.
    """
    if small is None:
        return change(trained)
    if not small_size(trained.generator):
        raise ConfigError(
            f"small={small}: the generator of {trained.file} enlarges no clips; train generator=longvideogan_sres"
        )
    first = load_trained(small, device, "small")
    if is_given(first.generator):
        raise ConfigError(f"small={small}: this generator must itself be given clips")
    problem = _difference(first, trained)
    if problem:
        raise ConfigError(f"small={small}, checkpoint={trained.file}: {problem}")
    try:
        generator = Chained(
            change(first).generator,
            trained.generator,
            size=first.config.clip.size,
            step=trained.config.clip.stride,
        )
    except ValueError as error:
        raise ConfigError(f"small={small}, checkpoint={trained.file}: {error}") from error
    config = trained.config.copy()
    config.clip.class_names = first.config.clip.class_names  # `trained` may know no classes
    return replace(trained, generator=generator.eval(), contract=generator, config=config, small=first)


def _difference(first: Trained, second: Trained) -> str | None:
    """What the second run was trained on that the first one does not make, but for what `Chained` refuses."""
    here, there = first.config.clip, second.config.clip
    if here.channels != there.channels:
        return f"it enlarges frames of {there.channels} channels, not of {here.channels}"
    rates = [OmegaConf.select(part.config, "data.fps") for part in (first, second)]
    if rates[0] != rates[1]:
        made, taken = ("as stored" if rate is None else f"at {rate:g} frames per second" for rate in rates)
        return f"it was trained on videos {taken}, the small one on videos {made} (clip.fps)"
    if not first.contract.reads_times and here.stride != there.stride:
        return f"it enlarges frames {there.stride} apart, and small ones are always {here.stride} apart (clip.stride)"
    if second.contract.classes == first.contract.classes != 0 and here.class_names != there.class_names:
        return f"its classes are {', '.join(there.class_names)}, those of the small one {', '.join(here.class_names)}"
    return None
