"""What a manifest asks for, held against what is on disk: every run with its folder, and what is left to do for it.

A run's folder is named by its axes and seed and by a hash of the composed configuration. A manifest, an experiment or
a default that changed so leads to another folder: what stays the same is found again, and nothing is overwritten.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from vgen.config import CONF_DIR, ConfigError, plain
from vgen.launch.jobs import folder_name
from vgen.launch.manifest import Entry, Evaluation, Manifest, Words, key_of
from vgen.launch.outcome import is_finished
from vgen.launch.product import combinations
from vgen.launch.run_folders import RunFolders, changed_settings, end_of, short_hash
from vgen.report.runs import read_json

State = Literal["finished", "begun", "new"]

# What changes no number of an evaluation.
MACHINE = {"batch", "device", "processes", "weights", "features_cache", "output"}


@dataclass(frozen=True)
class Planned:
    """One run: the words that train it, where, and how far it is.

    Attributes:
        name: its folder below all runs, "losses/loss=hinge,seed=0-1a2b3c4d"; two entries can ask for one run.
        config: composed and resolved.
        changed: what a new run has otherwise than an earlier one of the same name, which stays; "" if there is none.
        added: settings that vgen has got since the run was finished.
    """

    entry: str
    name: str
    words: Words
    folder: Path
    config: dict[str, Any]
    changed: str
    added: tuple[str, ...] = ()

    @property
    def seed(self) -> Any:
        return self.config.get("seed")

    @property
    def state(self) -> State:
        if not (self.folder / "config.yaml").is_file():
            return "new"
        # wandb leaves a mark while it writes: what is told as finished before that is not
        cut = (self.folder / "wandb" / ".open").exists()
        if cut or not is_finished(self.folder):
            return "begun"
        reached = read_json(self.folder / "provenance.json").get("kclips", 0.0)
        return "finished" if reached >= end_of(self.config) - 1e-9 else "begun"


@dataclass(frozen=True)
class Asked:
    """One evaluation: the composed configuration of `vgen evaluate`, and a name that changes with it."""

    evaluation: Evaluation
    config: DictConfig
    name: str

    def result(self, run: Planned) -> Path:
        return run.folder / "evaluations" / self.name / "metrics.json"

    def checkpoint(self, run: Planned) -> Path:
        last = run.folder / "checkpoints" / "last.ckpt"
        best = last.with_name("best.ckpt")
        return best if self.evaluation.checkpoint == "best" and best.exists() else last

    def is_done(self, run: Planned) -> bool:
        """Whether there is a result, and it is younger than the checkpoint that it measured."""
        result, checkpoint = self.result(run), self.checkpoint(run)
        try:
            return result.stat().st_mtime >= checkpoint.stat().st_mtime
        except OSError:
            return False

    def unmeasured(self, run: Planned) -> list[str]:
        """Why the result lacks some of the metrics that it was asked for."""
        if not self.is_done(run):
            return []
        failed = json.loads(self.result(run).read_text(encoding="utf-8")).get("failed", {})
        return list(dict.fromkeys(failed.values()))


class CannotPlan(Exception):
    """Words of the manifest that `command` does not take; `__cause__` says why."""

    def __init__(self, place: str, command: str) -> None:
        super().__init__(place)
        self.place, self.command = place, command


def plan_runs(manifest: Manifest, folder: Path, config_folders: Sequence[str]) -> list[Planned]:
    """All runs of the manifest, below `folder`/runs, entry by entry.

    Raises:
        CannotPlan: words that do not compose, or a value that must be given.
    """
    runs: list[Planned] = []
    folders = RunFolders(folder / "runs")
    with _composing(config_folders) as compose:
        for entry in manifest.entries.values():
            composed: dict[Words, DictConfig] = {}  # composing takes its time: once for all seeds
            for words, name in _jobs(entry):
                unseeded = tuple(word for word in words if key_of(word) != "seed")
                try:
                    if unseeded not in composed:
                        composed[unseeded] = compose("train", [*unseeded, "paths.run=RUN"])
                    config = _settled(composed[unseeded], words)
                except Exception as error:
                    raise CannotPlan(f"runs.{entry.name}", "train") from error
                place, added = folders.place(entry.name, name, config, words)
                config["paths"]["run"] = str(place)
                changed = "" if place.exists() else changed_settings(config, place.parent, name)
                name = place.relative_to(folders.root).as_posix()
                runs.append(Planned(entry.name, name, words, place, config, changed, added))
    return runs


def plan_evaluations(manifest: Manifest, words: Words, config_folders: Sequence[str]) -> dict[str, Asked]:
    """All evaluations of the manifest; `words` are the machine's (batch, device) and make no other evaluation.

    Raises:
        CannotPlan: words that do not compose.
    """
    asked = {}
    with _composing(config_folders) as compose:
        for name, evaluation in manifest.evaluations.items():
            try:
                config = compose("evaluate", [*evaluation.words, "checkpoint=RUN"])
                facts = {key: value for key, value in plain(config).items() if key not in MACHINE}
                config = compose("evaluate", [*evaluation.words, *words, "checkpoint=RUN"])
            except Exception as error:
                raise CannotPlan(f"evaluations.{name}", "evaluate") from error
            asked[name] = Asked(
                evaluation, config, f"{name}-{short_hash({**facts, 'which': evaluation.checkpoint})}"
            )
    return asked


def _jobs(entry: Entry) -> list[tuple[Words, str]]:
    """The words of each run of an entry, and what distinguishes it inside the entry."""
    words = [*entry.words, *(f"{key}={values}" for key, values in entry.axes.items())]
    if entry.seeds:
        words.append(f"seed={','.join(map(str, entry.seeds))}")
    try:
        jobs = combinations(OverridesParser.create().parse_overrides(words))
    except Exception as error:
        raise CannotPlan(f"runs.{entry.name}", "train") from error
    crossed = {*entry.axes, "seed"}
    named = []
    for job in jobs:
        own = {key_of(word): word.split("=", 1)[1] for word in job.overrides if key_of(word) in crossed}
        named.append((job.overrides, folder_name(own, crossed) if own else "run"))
    return named


@contextmanager
def _composing(config_folders: Sequence[str]) -> Iterator[Callable[[str, list[str]], DictConfig]]:
    """Compose as the command line does, with the user's own folders of options."""
    search = (
        [f"hydra.searchpath=[{','.join(f'file://{f}' for f in config_folders)}]"] if config_folders else []
    )

    def compose(command: str, words: list[str]) -> DictConfig:
        config = hydra.compose(command, overrides=[*words, *search], return_hydra_config=True)
        chosen = plain(config.hydra.runtime.choices)
        with open_dict(config):
            config.pop("hydra")
            config.pop("sweep", None)
            if command == "train":
                config.choices = {
                    group: option
                    for group, option in chosen.items()
                    if option is not None and not group.startswith(("hydra", "sweep"))
                }
        return config

    around = GlobalHydra.instance().hydra  # of the application that is running: there can be one at a time
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            yield compose
    finally:
        GlobalHydra.instance().clear()
        if around is not None:
            GlobalHydra.instance().initialize(around)


def _settled(composed: DictConfig, words: Words) -> dict[str, Any]:
    config = composed.copy()
    seed = next((word.split("=", 1)[1] for word in words if key_of(word) == "seed"), None)
    if seed is not None:
        config.seed = int(seed)
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(f"{missing[0]}=... must be given")
    return plain(config)
