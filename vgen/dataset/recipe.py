"""A public dataset as data: where it is published and under which terms, how it is arranged, how papers cut it."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic

Resize = Literal["crop", "squash"]


@dataclass(frozen=True)
class Download:
    """A published file.

    Attributes:
        url: its official address.
        file: its name here; default: the last part of the address.
        checksum: "sha256:...", "sha1:..." or "md5:..." where somebody states it, else None.
        by: who states it.
        listing: the file is a list of further addresses, one per line.
        folder: sub-folder for it, and for what it lists.
    """

    url: str
    file: str | None = None
    checksum: str | None = None
    by: str | None = None
    listing: bool = False
    folder: str = ""

    @property
    def name(self) -> str:
        return self.file or self.url.rstrip("/").rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Arrangement:
    """Which files of the download are videos, what they are called, and to which split they belong.

    Attributes:
        pattern: matches the end of a video's path (a file, or a folder of frames); its named groups fill `name`.
        name: path of the video in the dataset, such as "{label}/{file}": a folder in it is the class.
        lists: split -> files (searched for by name) that name its videos, as `name` makes them.
        groups: split -> {group of the pattern: its values}; values are compared as text.
        table: a CSV that gives groups for videos, searched for by name; its columns become groups.
        key: how a row of the table is called: the group `id` of the pattern equals it. "{column:0>6}" pads.
    """

    pattern: str
    name: str
    lists: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, dict[str, list[str | int]]] = field(default_factory=dict)
    table: list[str] = field(default_factory=list)
    key: str = ""


@dataclass(frozen=True)
class Preset:
    """How a paper prepares the data: `size`, `channels` and `resize` here; `frames` and `stride` are for training.

    Attributes:
        source: where that is said.
        note: what vgen does not do of it.
    """

    size: int
    source: str
    channels: int = 3
    resize: Resize = "crop"
    frames: int | None = None
    stride: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class Recipe:
    """One public dataset.

    Attributes:
        name: of the option.
        title: its own name.
        page: where its authors publish it.
        licence: what they allow; says so where they state nothing.
        citation: the paper.
        arrange: see `Arrangement`.
        presets: paper -> `Preset`; the first is taken unless another is asked for.
        files: what can be downloaded without asking; empty if the terms or the place do not allow it.
        steps: what the user does where it cannot be downloaded, or to get the files otherwise.
        videos: how many there should be, None where nobody says.
        axes: of arrays, as data=videos takes them ("TNHW").
        records: where the videos are in TFRecord files.
    """

    name: str
    title: str
    page: str
    licence: str
    citation: str
    arrange: Arrangement
    presets: dict[str, Preset]
    files: list[Download] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    videos: int | None = None
    axes: str = "auto"
    records: "Records | None" = None

    def preset(self, name: str | None) -> Preset:
        """The preset `name`, or the first. ValueError says which there are."""
        if name is None:
            return next(iter(self.presets.values()))
        if name not in self.presets:
            raise ValueError(f"preset={name}: {self.name} has {', '.join(self.presets)}")
        return self.presets[name]

    def how_to_get(self, raw: str) -> str:
        """The exact steps, as text."""
        steps = [*self.steps, f"vgen prepare dataset={self.name} raw={raw} output=OUT"]
        numbered = "\n".join(f"  {i}. {step}" for i, step in enumerate(steps, start=1))
        return f"{self.title} ({self.page})\n  terms: {self.licence}\n{numbered}"


@dataclass(frozen=True)
class Records:
    """Videos in TFRecord files: feature `frame.format(frame=t)` is frame t as raw bytes of `shape` (H, W, C)."""

    frame: str
    shape: tuple[int, int, int]


def read_recipe(config: dict[str, Any]) -> Recipe:
    """The recipe that a YAML of conf/dataset describes. ValueError, in one line, if it describes none."""
    try:
        recipe = pydantic.TypeAdapter(Recipe).validate_python(config)
        re.compile(recipe.arrange.pattern)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"dataset.{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from None
    except re.error as error:
        raise ValueError(f"dataset.arrange.pattern: {error}") from None
    if not recipe.presets:
        raise ValueError("dataset.presets: at least one is needed")
    return recipe
