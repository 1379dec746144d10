"""What was downloaded -> a folder that `data=videos` reads: links by the recipe's pattern; and its splits."""

import csv
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vgen.dataset.recipe import Arrangement, Recipe

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def arrange(recipe: Recipe, source: Path, folder: Path, *, beside: Path) -> dict[str, frozenset[str]]:
    """Make `folder` anew, with a link for each video of `recipe` in `source`; split -> names of its videos.

    Args:
        beside: where lists and tables are looked for as well.

    Raises:
        FileNotFoundError: a list or table that the recipe needs is missing.
        ValueError: two videos of one name, or one that the table does not know.
    """
    rule = recipe.arrange
    raw = (source, beside)
    rows = _table(rule, raw)
    lists = {split: _listed(raw, names) for split, names in rule.lists.items()}
    splits: dict[str, set[str]] = {split: set() for split in (*rule.lists, *rule.groups)}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path, groups in find_videos(rule, source):
        if rule.table:
            row = rows.get(groups["id"])
            if row is None:
                continue  # Kinetics' archives hold a few videos that its lists do not name
            groups |= row
        name = _plain_name(rule.name.format(**groups))
        split = _split(rule, groups, name, lists)
        if split is not None:
            splits.setdefault(split, set()).add(name)
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            link.symlink_to(path.absolute())
        except FileExistsError:
            raise ValueError(f"{source} holds two videos {name}: {path} and {link.resolve()}") from None
    return {split: frozenset(names) for split, names in splits.items()}


def find_videos(rule: Arrangement, raw: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The videos in `raw`, files or folders of pictures, in order of their paths, with the pattern's groups."""
    pattern = re.compile(f"(?:^|/){rule.pattern}$")
    for where, folders, files in os.walk(raw):
        folders.sort()  # and so the order of all that follows
        here = Path(where)
        pictures = any(name.lower().endswith(PICTURES) for name in files)
        videos = (name for name in files if not name.startswith(".") and not name.lower().endswith(PICTURES))
        names = ([""] if pictures else []) + sorted(videos)
        for name in names:
            path = here / name if name else here
            found = pattern.search(path.relative_to(raw).as_posix())
            if found:
                yield path, {key: value or "" for key, value in found.groupdict().items()}


def _split(
    rule: Arrangement, groups: dict[str, Any], name: str, lists: dict[str, frozenset[str]]
) -> str | None:
    for split, names in lists.items():
        if name in names:
            return split
    for split, wanted in rule.groups.items():
        if all(str(groups.get(key)) in map(str, values) for key, values in wanted.items()):
            return split
    return groups.get("split") or None


def _table(rule: Arrangement, raw: tuple[Path, ...]) -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    for name in rule.table:
        with open(_file(raw, name), newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows[rule.key.format(**row)] = row
    return rows


def _listed(raw: tuple[Path, ...], files: list[str]) -> frozenset[str]:
    lines = [line for name in files for line in _file(raw, name).read_text(encoding="utf-8").splitlines()]
    return frozenset(line.split()[0] for line in lines if line.strip())


def _file(folders: tuple[Path, ...], name: str) -> Path:
    for folder in folders:
        for where, _, files in os.walk(folder):
            if name in files:
                return Path(where) / name
    raise FileNotFoundError(f"{folders[-1]} lacks the file {name}")


def _plain_name(name: str) -> str:
    """A name that makes no folders but the one of its class, and leads nowhere else."""
    parts = [part.strip() or "_" for part in name.split("/")]
    if any(part in (".", "..") for part in parts):
        raise ValueError(f"{name}: no name for a video")
    return "/".join(parts)
