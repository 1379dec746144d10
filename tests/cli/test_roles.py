"""Extractors that metrics need, found from the configuration alone."""

from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig, OmegaConf

from vgen.cli.roles import reads_of, roles_in, settle_extractors
from vgen.config import CONF_DIR, ConfigError

METRICS = sorted((CONF_DIR / "metric").glob("*.yaml"))
EXTRACTORS = sorted((CONF_DIR / "extractor").glob("*.yaml"))


def compose(*overrides: str) -> DictConfig:
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra.compose("evaluate", overrides=list(overrides))


def test_a_metric_brings_its_extractor_along() -> None:
    config = compose("metric=[frechet,temporal_flickering]")
    settle_extractors(config)
    assert set(config.extractor) == {"embedded", "change", "flow"}
    settle_extractors(config)
    assert set(config.extractor) == {"embedded", "change", "flow"}


def test_an_extractor_that_no_metric_reads_is_left_out() -> None:
    config = compose("metric=[temporal_flickering]")
    settle_extractors(config)
    assert set(config.extractor) == {"change", "flow"}  # dynamic degree stands beside it


def test_what_was_chosen_stays_as_it_was_set() -> None:
    config = compose(
        "metric=[temporal_flickering,frechet]", "extractor=[change,random]", "extractor.random.seed=3"
    )
    settle_extractors(config)
    assert set(config.extractor) == {"change", "flow", "random"}
    assert config.extractor.random.seed == 3


def test_a_role_that_nothing_brings_along_names_those_that_have_it() -> None:
    with pytest.raises(
        ConfigError, match=r"metric.frame_frechet reads 'frames' features, .*extractors that do: .*random"
    ):
        settle_extractors(compose("metric=[frame_frechet]"))


def test_the_role_of_a_metric_that_can_read_several() -> None:
    config = compose("metric=[disentanglement]", "metric.disentanglement.reads=flow")
    settle_extractors(config)
    assert set(config.extractor) == {"flow"}


@pytest.mark.parametrize("file", METRICS, ids=lambda f: f.stem)
def test_every_metric_has_an_extractor(file: Path) -> None:
    config = compose(f"metric=[{file.stem}]")
    for name, node in config.metric.items():
        role = reads_of(node)
        assert any(role in roles_in(option) for option in EXTRACTORS), f"{name} reads {role}"


@pytest.mark.parametrize("file", EXTRACTORS, ids=lambda f: f.stem)
def test_roles_are_known_without_building(file: Path) -> None:
    assert roles_in(file)
    assert list(OmegaConf.load(file)) == [file.stem]
