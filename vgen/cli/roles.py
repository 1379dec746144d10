"""Which extractors the chosen metrics need, found from the configuration before anything is built."""

import inspect
import logging
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from vgen.config import CONF_DIR, ConfigError

log = logging.getLogger("vgen")


def settle_extractors(config: DictConfig) -> None:
    """Add the extractors that metrics read and nobody chose, and drop those that no metric reads.

    A metric that reads the role "flow" brings conf/extractor/flow.yaml along. Raises ConfigError for one that
    reads what no chosen extractor has, naming the options that have it.
    """
    if not config.metric:
        return
    wanted = {name: reads_of(node) for name, node in config.metric.items()}
    for metric, role in wanted.items():
        if any(role in roles_of(node) for node in config.extractor.values()):
            continue
        file = next((f for f in _options() if f.stem == role), None)
        if file is None or role not in roles_in(file):
            having = ", ".join(f.stem for f in _options() if role in roles_in(f)) or "none"
            chosen = ", ".join(map(str, config.extractor)) or "none"
            raise ConfigError(
                f"metric.{metric} reads {role!r} features, which extractor=[{chosen}] does not make; "
                f"extractors that do: {having}"
            )
        with open_dict(config.extractor):
            for name, node in OmegaConf.load(file).items():
                config.extractor[name] = node
        log.info("extractor %s is added for metric %s", role, metric)
    for name in [n for n, node in config.extractor.items() if not roles_of(node) & set(wanted.values())]:
        log.info("extractor %s is left out: no chosen metric reads it", name)
        with open_dict(config.extractor):
            del config.extractor[name]


def reads_of(node: DictConfig) -> str:
    """The role that the metric of `node` reads: its argument `reads`, else what its class says."""
    if "reads" in node:
        return str(node.reads)
    kind = hydra.utils.get_object(node._target_)
    parameter = inspect.signature(kind).parameters.get("reads")
    return str(parameter.default if parameter else kind.reads)


def roles_of(node: DictConfig) -> set[str]:
    return set(hydra.utils.get_object(node._target_).roles)


def roles_in(file: Path) -> set[str]:
    """The roles of an option; none if its class cannot be imported, for want of an extra."""
    terms = OmegaConf.load(file)
    try:
        return {role for node in terms.values() for role in roles_of(node)}  # type: ignore[union-attr]
    except Exception:
        return set()


def _options() -> list[Path]:
    """The files of the group, those of the user's own folder first."""
    folders = [CONF_DIR]
    if HydraConfig.initialized():
        sources = HydraConfig.get().runtime.config_sources
        folders = [Path(s.path) for s in sources if s.schema == "file" and Path(s.path) != CONF_DIR] + folders
    return [file for folder in folders for file in sorted((folder / "extractor").glob("*.yaml"))]
