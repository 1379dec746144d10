"""A paper's experiments as one YAML file: what is trained, how it is evaluated, which tables it makes."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from vgen.config import ConfigError, type_problem

Words = tuple[str, ...]  # as on the command line: "loss=hinge"


@dataclass(frozen=True)
class Entry:
    """Runs that cross the values of `axes` and `seeds`; the other words are the same for all of them."""

    name: str
    words: Words
    axes: dict[str, str]
    seeds: tuple[int, ...]
    evaluations: Words


@dataclass(frozen=True)
class Evaluation:
    """What `vgen evaluate` is asked of every run, and of which of its checkpoints."""

    name: str
    words: Words
    checkpoint: Literal["best", "last"]


@dataclass(frozen=True)
class Table:
    """`rows` are names of entries, `columns` of evaluations; `metrics` is empty for all that were measured."""

    name: str
    title: str
    rows: Words
    baseline: str | None
    columns: Words
    metrics: Words


@dataclass(frozen=True)
class Manifest:
    file: Path
    title: str
    entries: dict[str, Entry]
    evaluations: dict[str, Evaluation]
    tables: dict[str, Table]


def read_manifest(file: Path) -> Manifest:
    """The manifest in `file`, checked as far as its own words go.

    Raises:
        ConfigError: one line with the key that is wrong and what may stand there.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Strict)
    except OSError as error:
        raise ConfigError(f"manifest={file}: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"manifest={file}: {' '.join(str(error).split())}") from error
    top = _Node(str(file), content)
    top.keys("title", "seeds", "common", "runs", "evaluations", "tables")
    evaluations = {name: _evaluation(name, node) for name, node in top.named("evaluations")}
    common, seeds = top.words("common"), top.seeds(())
    entries = {
        name: _entry(name, node, common, seeds, tuple(evaluations)) for name, node in top.named("runs")
    }
    if not entries:
        raise ConfigError(f"{file}: runs: name at least one entry")
    tables = {name: _table(name, node, entries, tuple(evaluations)) for name, node in top.named("tables")}
    return Manifest(file, top.text("title") or file.stem, entries, evaluations, tables)


def _entry(name: str, node: "_Node", common: Words, seeds: tuple[int, ...], evaluations: Words) -> Entry:
    node.keys("experiment", "overrides", "axes", "seeds", "evaluations")
    experiment = node.text("experiment")
    axes = {str(key): node.values(key, value) for key, value in node.mapping("axes").items()}
    own = (*((f"experiment={experiment}",) if experiment else ()), *node.words("overrides"))
    chosen = node.chosen("evaluations", evaluations)
    seeds = node.seeds(seeds)
    later = {key_of(word) for word in own} | axes.keys() | ({"seed"} if seeds else set())
    kept = tuple(word for word in common if key_of(word) not in later)
    for word in (*kept, *own):
        if key_of(word) in axes or (key_of(word) == "seed" and seeds):
            raise node.error(f"{key_of(word)} stands both in overrides and in axes or seeds")
        if key_of(word).split(".")[0] in ("output", "resume", "paths", "hydra", "sweep", "hydra/launcher"):
            raise node.error(f"{word}: vgen paper chooses folders and sweeps itself; leave this out")
    return Entry(name, (*kept, *own), axes, seeds, chosen)


def _evaluation(name: str, node: "_Node") -> Evaluation:
    node.keys("overrides", "checkpoint")
    checkpoint = node.text("checkpoint") or "best"
    if checkpoint not in ("best", "last"):
        raise node.error(f"checkpoint: {checkpoint}: choose best (by the run's own metric) or last")
    words = node.words("overrides")
    for word in words:
        if key_of(word) in ("checkpoint", "fake", "output"):
            raise node.error(f"{word}: vgen paper sets it itself; leave this out")
    return Evaluation(name, words, checkpoint)


def _table(name: str, node: "_Node", entries: dict[str, Entry], evaluations: Words) -> Table:
    node.keys("title", "rows", "baseline", "evaluations", "metrics")
    rows = node.chosen("rows", tuple(entries))
    columns = node.chosen("evaluations", evaluations)
    if not columns:
        raise node.error("a table needs evaluations: the manifest has none")
    for row in rows:
        if not set(columns) & set(entries[row].evaluations):
            raise node.error(
                f"no run of {row} is evaluated as {', '.join(columns)}, only as "
                f"{', '.join(entries[row].evaluations) or 'nothing'}"
            )
    return Table(
        name, node.text("title") or name, rows, node.text("baseline"), columns, node.words("metrics", "")
    )


def key_of(word: str) -> str:
    return word.split("=", 1)[0].lstrip("+~")


class _Node:
    """A mapping of the manifest that knows where it stands."""

    def __init__(self, place: str, content: Any) -> None:
        self.place = place
        self.content: dict[str, Any] = {} if content is None else content
        if not isinstance(self.content, dict):
            raise ConfigError(f"{place}: give a mapping (key: value), not {content!r}")

    def error(self, reason: str) -> ConfigError:
        return ConfigError(f"{self.place}: {reason}")

    def keys(self, *known: str) -> None:
        unknown = next((key for key in self.content if key not in known), None)
        if unknown is not None:
            raise self.error(f"no key {unknown!r} here; there are {', '.join(known)}")

    def mapping(self, key: str) -> dict[str, Any]:
        return _Node(f"{self.place}: {key}", self.content.get(key)).content

    def named(self, key: str) -> list[tuple[str, "_Node"]]:
        """Children, whose names become folders."""
        children = self.mapping(key)
        for name in children:
            if not str(name).replace("-", "").replace("_", "").isalnum():
                raise self.error(f"{key}.{name}: a name has letters, digits, - and _ only")
        return [(str(name), _Node(f"{self.place}: {key}.{name}", child)) for name, child in children.items()]

    def text(self, key: str) -> str | None:
        value = self.content.get(key)
        if isinstance(value, dict | list):
            raise self.error(f"{key}: give a text, not {value!r}")
        return None if value is None else str(value)

    def words(self, key: str, sign: str = "=") -> Words:
        value = self.content.get(key) or []
        if not isinstance(value, list) or not all(isinstance(w, str) and sign in w for w in value):
            what = "as on the command line, e.g. [loss=hinge, batch=8]" if sign else "of texts"
            raise self.error(f"{key}: give a list {what}, not {value!r}")
        return tuple(value)

    def seeds(self, otherwise: tuple[int, ...]) -> tuple[int, ...]:
        if "seeds" not in self.content:
            return otherwise
        value = self.content["seeds"]
        problem = type_problem(list[int], value)
        if problem or not value or len(set(value)) < len(value):
            raise self.error(f"seeds: {problem or 'give different whole numbers, e.g. [0, 1, 2]'}")
        return tuple(value)

    def values(self, key: str, value: Any) -> str:
        """The values of an axis as the command line writes them."""
        if isinstance(value, str) and value:
            return value
        if not isinstance(value, list) or not value:
            raise self.error(f"axes.{key}: give a list of values, or a text such as 'range(3)'")
        return ",".join(_written(one) for one in value)

    def chosen(self, key: str, known: Words) -> Words:
        """A list of `known` names; all of them where the key is absent."""
        if key not in self.content:
            return known
        names = self.words(key, "")
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            raise self.error(f"{key}: no {unknown!r} in this manifest; there are {', '.join(known)}")
        return names


def _written(value: Any) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, list):
        return f"[{','.join(_written(one) for one in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_written(one)}" for key, one in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


class _Strict(yaml.SafeLoader):
    """Of two equal keys YAML keeps the last without a word; here they are an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: {key.value!r} stands there twice; rename one of them")
            seen.add(key.value)
        return super().construct_mapping(node, deep)
