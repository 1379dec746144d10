"""What sampling changes in a trained generator: stored codes for draws, content that changes, truncation."""

from dataclasses import replace

import torch
from omegaconf import DictConfig
from torch import Tensor

from vgen.cli.asked import sample_times
from vgen.cli.load import Trained
from vgen.clip import GIVEN, given_frames
from vgen.config import ConfigError, type_problem
from vgen.protocol.store import weights_hash
from vgen.training.changing import Changing
from vgen.training.mean_style import mean_style
from vgen.training.stored_codes import Recalled, drawing, load_codes
from vgen.training.truncated import Truncated


def recalled(trained: Trained, config: DictConfig) -> tuple[Trained, int | None, int | None]:
    """`trained` with the codes of a file in place of draws, where `config` names one; their label and length."""
    if config.codes is None:
        if config["take"] != "all":
            raise ConfigError(f"take={config['take']} goes with codes=FILE")
        return trained, config.label, None
    try:
        codes = load_codes(config.codes)
        generator = Recalled(trained.generator, codes, take=config["take"]).eval()
    except (ValueError, FileNotFoundError) as error:
        raise ConfigError(f"codes={config.codes}: {error}") from error
    if config.given is not None and GIVEN in generator.kept:
        raise ConfigError(
            f"given={config.given}: codes={config.codes} hold the frames that they continue; give one of the two, or "
            "take=motion"
        )
    if codes.info.get("weights") not in (None, weights_hash(trained.generator.state_dict())):
        print(
            f"{config.codes} was found for other weights ({codes.info['checkpoint']}): it makes another clip here."
        )
    label = codes.label if config.label is None else config.label
    return replace(trained, generator=generator, contract=generator), label, len(codes.times)


def changing(trained: Trained, config: DictConfig) -> Trained:
    """`trained` with content that changes, if `config` asks for it."""
    distance = config.content_distance
    if distance is None:
        return trained
    problem = type_problem(float, distance)
    if problem:
        raise ConfigError(f"content_distance={distance}: {problem}")
    if config.grid in ("style_mixing", "directions"):
        raise ConfigError(
            f"content_distance={distance}: grid={config.grid} changes the styles that a clip has all along"
        )
    generator = trained.generator
    if isinstance(generator, Recalled) and any(not name.startswith("motion") for name in generator.kept):
        raise ConfigError(
            f"content_distance={distance}: codes={config.codes} hold a content that stays; set take=motion"
        )
    try:
        generator = Changing(generator, distance=distance).eval()
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return replace(trained, generator=generator, contract=generator)


def truncated(trained: Trained, config: DictConfig) -> Trained:
    """`trained` with the truncation that `config` asks for."""
    content, motion, samples = (config.truncation[key] for key in ("content", "motion", "samples"))
    if samples is not None and (isinstance(samples, bool) or not isinstance(samples, int) or samples < 1):
        raise ConfigError(f"truncation.samples={samples}: must be null or a whole number of at least 1")
    if content == motion == 1:
        return trained
    try:
        mean = _mean_of_styles(trained, samples, config.seed) if samples is not None else None
        generator = Truncated(trained.generator, content=content, motion=motion, mean=mean).eval()
        generator.sample_latent(
            1, sample_times(trained, None, None)[None], torch.Generator()
        )  # whether there is motion
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return replace(trained, generator=generator, contract=generator)


def _mean_of_styles(trained: Trained, samples: int, seed: int) -> Tensor:
    free = drawing(trained.generator)  # stored codes would be their own mean
    if given_frames(free):
        raise ValueError(
            f"truncation.samples={samples}: the styles of this generator depend on the frames it is given"
        )
    times = sample_times(trained, None, None)[None]
    return mean_style(free, times=times, seed=seed, count=samples).mean[0]
