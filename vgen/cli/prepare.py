"""vgen prepare: videos -> a packed dataset; its verification; a page to look at; public datasets."""

import hashlib
import os
import shlex
import sys
from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from vgen.cli.errors import telling
from vgen.config import CONF_DIR, ConfigError, instantiate, plain
from vgen.data.packed import PackedVideos, is_packed
from vgen.data.plan import Part, Plan
from vgen.data.preparing import prepare as pack
from vgen.data.storage import INDEX, is_remote
from vgen.data.verify import verify
from vgen.data.videos import Videos
from vgen.dataset.arrange import arrange
from vgen.dataset.fetch import NotThere, bring, datasets_folder
from vgen.dataset.recipe import Preset, Recipe, read_recipe

LISTED = 10  # skipped videos that are told


@hydra.main(config_path=str(CONF_DIR), config_name="prepare", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("prepare"):
        try:
            prepare(config)
        except NotThere as steps:  # the one error that takes more than a line
            print(f"vgen: error: dataset={config.dataset.name}: {steps}", file=sys.stderr)
            raise SystemExit(1) from None


def prepare(config: DictConfig) -> None:
    """Do what `config` asks for: verify, inspect, or pack."""
    _check(config)
    if config.verify is not None:
        _verify(Path(config.verify))
        return
    recipe = read_recipe(plain(config.dataset)) if config.get("dataset") else None
    preset = recipe.preset(config.preset) if recipe else None
    _settle(config, preset)
    if config.inspect is not None:
        _inspect(config)
        return
    if config.output is None:
        raise ConfigError("output=... must be given (vgen prepare --help)")
    lists: Mapping[str, frozenset[str]] = {}
    if recipe is not None:
        config.data.path, lists = _arranged(config, recipe)
        if recipe.axes != "auto":
            config.data.axes = recipe.axes
    plan = _plan(config, lists)
    output = Path(config.output).expanduser().absolute()
    for part in plan.parts:
        if output == part.source.path or part.source.path in output.parents:
            raise ConfigError(
                f"output={config.output} lies in the folder of the videos: give one outside of it"
            )
    print(f"{plan.parts[0].source.path}: {plan.describe()}")
    for split, names in plan.missing().items():
        print(f"{len(names)} videos of split {split} are missing ({names[0]} ...)")
    index, there = pack(
        plan,
        output,
        facts=_facts(config, recipe, preset, output),
        shard_bytes=int(config.shard_mb * (1 << 20)),
        processes=_processes(config.processes),
        patience=config.patience,
    )
    _tell(index, output, there)
    if recipe is not None and recipe.videos not in (None, index["counts"]["videos"]):
        print(f"{recipe.title} should have {recipe.videos:,} videos")
    if preset is not None and preset.frames:
        print(
            f"as in {preset.source}, train with clip.frames={preset.frames} clip.stride={preset.stride or 1}"
        )
        if preset.note is not None:
            print(preset.note)


def _check(config: DictConfig) -> None:
    modes = [key for key in ("verify", "inspect") if config[key] is not None]
    if len(modes) > 1:
        raise ConfigError("verify=... and inspect=... are two things: ask for one")
    if modes and config.get("dataset") is not None:
        raise ConfigError(f"{modes[0]}=... takes a folder, and dataset=... makes one: ask for one at a time")
    if config.get("dataset") is None:
        for key in ("raw", "preset"):
            if config[key] is not None:
                raise ConfigError(f"{key}={config[key]} goes with dataset=NAME")
    if modes and "path" in config.data:
        raise ConfigError(f"data.path={config.data.path}: {modes[0]}=... is what is looked at; leave it out")
    if modes and is_remote(str(config[modes[0]])):
        raise ConfigError(f"{modes[0]}={config[modes[0]]}: give a folder of this machine")
    for key in ("clip.fps", "data.fps", "data.stored_fps"):
        value = OmegaConf.select(config, key)
        if value is not None:
            raise ConfigError(
                f"{key}={value}: every frame is packed; give it when you train with data=packed"
            )
    if OmegaConf.select(config, "data.cache") is not None:
        raise ConfigError(f"data.cache={config.data.cache}: vgen prepare writes to output=... alone")
    for key in ("shard_mb", "patience"):
        value = config[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ConfigError(f"{key}={value}: must be a number above 0")


def _settle(config: DictConfig, preset: Preset | None) -> None:
    """Fill in what is null from the preset, else what `vgen train` would take."""
    if config.clip.size is None:
        config.clip.size = preset.size if preset else 64
    if config.clip.channels is None:
        config.clip.channels = preset.channels if preset else 3
    if preset is not None and "resize" in config.data and preset.resize != "crop":
        config.data.resize = preset.resize


def _arranged(config: DictConfig, recipe: Recipe) -> tuple[str, Mapping[str, frozenset[str]]]:
    """The folder of a dataset's videos, and its splits."""
    if not OmegaConf.is_missing(config.data, "path"):
        raise ConfigError(f"data.path={config.data.path}: the files of dataset={recipe.name} go in raw=DIR")
    if config.splits is not None:
        raise ConfigError(f"splits={config.splits}: dataset={recipe.name} has its own")
    base = datasets_folder() / recipe.name
    raw = (Path(config.raw) if config.raw else base / "raw").expanduser().absolute()
    work = base / f"work_{hashlib.blake2b(str(raw).encode(), digest_size=4).hexdigest()}"
    source = bring(recipe, raw, work, download=config.download)
    folder = work / recipe.name
    try:
        return str(folder), arrange(recipe, source, folder, beside=raw)
    except FileNotFoundError as error:
        raise NotThere(f"{error}.\n{recipe.how_to_get(str(raw))}") from error


def _plan(config: DictConfig, lists: Mapping[str, frozenset[str]]) -> Plan:
    splits = plain(config.splits)
    if splits is None:
        return Plan([Part(_videos(config.data))], lists)
    if not isinstance(splits, list) or not splits:
        raise ConfigError(f"splits={splits}: a list such as [train,test]")
    parts = []
    owner: dict[str, str] = {}
    for split in map(str, splits):
        node = config.data.copy()
        node.split = split
        part = Part(_videos(node), split)
        for name in (entry.name for entry in part.source.layout.entries):
            if owner.setdefault(name, split) != split or splits.count(split) > 1:
                raise ConfigError(
                    f"splits=[{','.join(map(str, splits))}]: {name} is in {owner[name]} and in {split}; a video can be "
                    "of one split only"
                )
        parts.append(part)
    return Plan(parts)


def _videos(node: DictConfig) -> Videos:
    source = instantiate(node)
    if not isinstance(source, Videos):
        raise ConfigError(f"data={node._target_}: vgen prepare packs data=videos")
    source.layout  # noqa: B018 - says at once if there is nothing
    return source


def _facts(config: DictConfig, recipe: Recipe | None, preset: Preset | None, output: Path) -> dict[str, Any]:
    return {
        "name": recipe.name if recipe else output.name,
        "source": recipe.page if recipe else str(config.data.path),
        "licence": config.licence or (recipe.licence if recipe else None),
        "citation": recipe.citation if recipe else None,
        "preset": preset.source if preset else None,
    }


def _processes(wanted: object) -> int:
    if wanted == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 0:
        raise ConfigError(f"processes={wanted}: auto, or a whole number of at least 0")
    return wanted


def _tell(index: dict[str, Any], output: Path, there: bool) -> None:
    counts, skipped = index["counts"], index["skipped"]
    for video in skipped[:LISTED]:
        print(f"skipped {video['path']}: {video['reason']}")
    if len(skipped) > LISTED:
        print(f"skipped {len(skipped) - LISTED} more: see {output / INDEX}")
    height, width, channels = index["frame"]
    splits = "".join(f", {split} {count:,}" for split, count in index["splits"].items())
    print(
        f"{output}: {counts['videos']:,} videos, {counts['frames']:,} frames of {width}x{height}x{channels}, "
        f"{counts['bytes'] / 1e6:,.1f} MB in {_count(index['shards'], 'shard')}{splits}"
        f"{'; it was there already' if there else ''}"
    )
    words = [f"data.path={output}", f"clip.size={height}"] + ["clip.channels=1"] * (channels == 1)
    words += ["data.split=train"] * (0 < index["splits"].get("train", 0) < counts["videos"])
    print(f"vgen train data=packed {shlex.join(words)}")


def _count(things: Sized, name: str) -> str:
    return f"{len(things):,} {name}{'s' * (len(things) != 1)}"


def _verify(folder: Path) -> None:
    source = PackedVideos(path=str(folder))
    source.setup()
    problems = verify(source)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise ConfigError(
            f"verify={folder}: {_count(problems, 'problem')}: remove the folder and prepare it again"
        )
    counts = source.index["counts"]
    print(
        f"{folder}: {counts['videos']:,} videos in {_count(source.index['shards'], 'shard')}, all as they were written"
    )


def _inspect(config: DictConfig) -> None:
    from vgen.report.dataset_page import write_page  # here, since it brings Jinja and Pillow's fonts

    folder = Path(config.inspect).expanduser().absolute()
    output = Path(config.output or f"inspect_{folder.name}.html")
    if output.suffix != ".html":
        output = output / f"inspect_{folder.name}.html"
    survey = _survey(config, folder)
    write_page(survey, output)
    print(output)


def _survey(config: DictConfig, folder: Path) -> Any:
    from vgen.data.survey import survey_pack, survey_plan

    if is_packed(folder):
        return survey_pack(PackedVideos(path=str(folder)))
    config.data.path = str(folder)
    return survey_plan(_plan(config, {}), processes=_processes(config.processes), patience=config.patience)
