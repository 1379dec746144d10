"""Schedules as a user writes them: on the command line, and in an experiment whose parts are swapped."""

from typing import Any

import hydra
import pytest
from omegaconf import OmegaConf

from vgen.cli.build import build_model, build_source
from vgen.config import CONF_DIR
from vgen.training.video_gan import VideoGAN

TINY = [
    "clip.size=16",
    "width=4",
    "batch=2",
    "hydra.run.dir=.",
    "paths.run=unused",
    "callback=[]",
    "logger=none",
]


def build(*overrides: str) -> VideoGAN:
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        config = hydra.compose("train", overrides=[*TINY, *overrides])
    OmegaConf.resolve(config)
    _, sampler = build_source(config)
    return build_model(config, sampler)


def turned(model: VideoGAN) -> set[str]:
    """The knobs that the model's schedules have turned before a first step."""
    optimizers = model.configure_optimizers()
    model.schedules.follow(model, optimizers)
    return {name.removeprefix("schedule/") for name in model.schedules.values}


def test_schedules_on_the_command_line() -> None:
    model = build(
        "training.schedules.generator_lr={shape: linear, start: 0, over: 5}",
        "training.schedules.discriminator_lr=[{start: 0, over: 5}, {end: 1e-5, over: 50}]",
        "+training.schedules.weight.r1={end: 1, over: 10}",
        "regularizer=[r1]",
    )
    assert turned(model) == {"generator_lr", "discriminator_lr", "weight/r1"}


@pytest.mark.parametrize(
    ("change", "left"), [("regularizer=none", set()), ("regularizer=[r1]", {"weight/r1"})]
)
def test_an_experiment_with_schedules_takes_other_terms(change: str, left: set[Any]) -> None:
    rates = {"generator_lr", "discriminator_lr"}
    assert turned(build("experiment=r3gan3d", change)) == rates | {"ema_half_life"} | left


def test_a_misspelt_term_is_still_said() -> None:
    with pytest.raises(ValueError, match=r"weight\.r3: the regularizers of the run are r1, r2"):
        build("experiment=r3gan3d", "+training.schedules.weight.r3={end: 1, over: 2}")
