"""vgen audit: how metrics answer to known damage of real clips; with selftest=true, golden values reproduced."""

import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from vgen.cli.errors import telling
from vgen.cli.load import pick_device
from vgen.cli.roles import settle_extractors
from vgen.config import CONF_DIR, ConfigError, instantiate, plain, type_problem
from vgen.data.source import VideoSource
from vgen.data.stored import split_folder
from vgen.protocol.audit import audit, check_corruptions
from vgen.protocol.halves import real_halves
from vgen.protocol.score import pairs_of
from vgen.protocol.selftest import format_selftest, run_selftest
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore
from vgen.report.audit import format_audit, write_audit

log = logging.getLogger("vgen")

PACKED = "vgen.data.packed.PackedVideos"
DRAWN_SIZE = 64  # of data that have no size of their own


@hydra.main(config_path=str(CONF_DIR), config_name="audit", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("audit"):
        if config.selftest:
            selftest()
        else:
            run_audit(config)


def selftest() -> None:
    """Print every check; exit with 1 if one failed."""
    checks = run_selftest(preset_ids())
    print(format_selftest(checks))
    if not all(check.ok for check in checks):
        raise SystemExit(1)


def preset_ids() -> dict[str, str]:
    """The ids of the protocol presets, for clips of 16 frames and 64 pixels where a preset leaves these open."""
    ids = {}
    for file in sorted((CONF_DIR / "protocol").glob("*.yaml")):
        open_facts = {"clip": {"frames": 16, "size": 64, "stride": 1}, "protocol": OmegaConf.load(file)}
        node = OmegaConf.create(open_facts).protocol
        node.pop("defaults", None)
        protocol: Standard = instantiate(node)
        ids[file.stem] = protocol.id()
    return ids


def run_audit(config: DictConfig) -> None:
    """Audit what `config` names, write its folder and print the table."""
    for key, kind, least in (("batch", int, 1), ("seed", int, 0)):
        problem = type_problem(kind, config[key])
        if problem or config[key] < least:
            raise ConfigError(f"{key}={config[key]}: {problem or f'must be at least {least}'}")
    corruptions = _corruptions(config)
    _settle(config)
    settle_extractors(config)
    protocol: Standard = instantiate(config.protocol)
    extractors, metrics = instantiate(config.extractor), instantiate(config.metric)
    pairs_of(extractors, metrics, protocol)
    reference, clean = real_halves(_videos(config, protocol), protocol)
    result = audit(
        reference,
        clean,
        extractors=extractors,
        metrics=metrics,
        protocol=protocol,
        corruptions=corruptions,
        seed=config.seed,
        store=FeatureStore.chosen(config.features_cache),
        batch=config.batch,
        device=pick_device(config.device),
        progress=True,
    )
    paths = write_audit(result, Path(config.output))
    print(format_audit(result))
    print(f"written to {paths.json.parent}")


def _corruptions(config: DictConfig) -> dict[str, list[float]]:
    """The chosen kinds with their levels."""
    kinds, levels = plain(config.corruption), plain(config.levels)
    if not isinstance(kinds, list) or not kinds:
        raise ConfigError(f"corruption={kinds}: give a list of {', '.join(levels)}")
    for kind in kinds:
        if kind not in levels:
            raise ConfigError(f"corruption=[{kind}]: no such kind; there are {', '.join(levels)}")
        problem = type_problem(list[float | int], levels[kind])
        if problem:
            raise ConfigError(f"levels.{kind}={levels[kind]}: {problem}")
    chosen = {kind: levels[kind] for kind in kinds}
    check_corruptions(chosen)
    return chosen


def _settle(config: DictConfig) -> None:
    """Clips and protocol of one mind: the audit has one set of clean clips, prepared as the protocol says."""
    if config.clip.size is None and "path" not in config.data:
        config.clip.size = DRAWN_SIZE if config.protocol.size is None else config.protocol.size
    if config.data._target_ == "vgen.data.videos.Videos":
        for key in ("size", "resize", "resample"):
            OmegaConf.update(config.data, key, config.protocol[key], force_add=True)
    for key, value in (("fakes", None), ("repeats", 1)):
        if key in config.protocol:
            config.protocol[key] = value
    split = config.protocol.get("split")
    if split is None or "path" not in config.data:
        return
    if config.data._target_ != PACKED:
        config.data.path = str(split_folder(config.data.path, split))
    elif config.data.split in (None, split):
        config.data.split = split
    else:
        raise ConfigError(f"data.split={config.data.split} and protocol.split={split}: give one of them")


def _videos(config: DictConfig, protocol: Standard) -> VideoSource:
    source: VideoSource = instantiate(config.data)
    source.prepare()
    source.setup()
    for key in ("resize", "resample"):  # of packed videos nobody can choose them any more
        own, wanted = getattr(source, key, None), getattr(protocol, key)
        if own not in (None, wanted):
            raise ConfigError(
                f"protocol.{key}={wanted}, and {source.name} is made with {own}: set protocol.{key}={own}, or give "
                "the raw videos"
            )
    return source
