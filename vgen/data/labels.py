"""Which class each video has, and which videos belong to a split."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

from vgen.data.archive import open_file
from vgen.data.entry import Kind, Part, Unreadable, natural, reason
from vgen.data.label_tables import (
    Row,
    list_of_split,
    read_class_index,
    read_csv,
    read_json,
    read_json_file,
    read_list,
)
from vgen.data.listing import File
from vgen.data.source import Skipped

SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test", "eval": "test"}
SPLITS |= dict.fromkeys(("val", "valid", "validation"), "val")
NAMED = 3  # videos that an error names


@dataclass(frozen=True)
class Found:
    """A video before it has a class.

    Attributes:
        parents: folders between the top and the video.
        name, kind, files, archive, part: as of `vgen.data.entry.Entry`.
        stem: its own last name without suffix.
        hint: a class that is stored with it.
    """

    parents: tuple[str, ...]
    name: str
    kind: Kind
    files: tuple[str, ...]
    archive: str = ""
    stem: str = ""
    part: Part | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Labelling:
    """The videos that are used, each with its class; `missing` ones are listed and not there."""

    videos: list[tuple[Found, int | None]]
    classes: list[str]
    origin: str = ""
    missing: tuple[Skipped, ...] = ()


V = TypeVar("V")
Labelled = list[tuple[Found, str]]


def assign(
    found: list[Found],
    root: Path,
    tables: list[File],
    *,
    labels: str = "auto",
    split_file: str | None = None,
    split: str | None = None,
) -> Labelling:
    """Give each video its class, and leave out those of other splits.

    Args:
        found: the videos.
        root: the folder that holds them, or the archive.
        tables: the files named dataset.json in it.
        labels: where classes come from.
            "auto": what is stored with the videos (a WebDataset's .cls, TGAN2's list beside an HDF5 file), else
            dataset.json ({"labels": {path: class}} or pairs; StyleGAN-V's format), else the folders.
            "folder": the first folder that is not the same for all. "parent": the folder in which a video lies.
            "none": no classes. FILE.csv: columns path, label and perhaps split. FILE.json: as dataset.json.
        split_file: official list of a split, in UCF-101's form: a path per line, perhaps followed by the number of its
            class; names of the classes in classInd.txt beside it. Only listed videos are used.
        split: "all"; or "train", "test", "val": of the split column, of the lists (`split_file` with "train" in its
            name replaced by "test" and so on), else of the folders of such names.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is not understood, a video without class, no video of that split.
    """
    if split_file is not None:
        if labels not in ("auto", "folder", "none"):
            raise ValueError(
                f"data.split_file names classes too: leave out data.labels={labels}, or choose none"
            )
        return _by_lists(found, Path(split_file).expanduser(), split, labels)
    if labels.lower().endswith(".csv"):
        return _by_csv(found, Path(labels).expanduser(), split)
    every, kept = _of_split(found, root, split)
    labelling = _by_what_is_there(every, root, tables, labels)  # one numbering of the classes for all splits
    if kept is None:
        return labelling
    videos = [(video, label) for video, label in labelling.videos if video.name in kept]
    origin = f"split {split}" + f"; {labelling.origin}" * bool(labelling.origin)
    return replace(labelling, videos=videos, origin=origin)


def _by_what_is_there(found: list[Found], root: Path, tables: list[File], labels: str) -> Labelling:
    if labels == "none":
        return Labelling([(video, None) for video in found], [])
    if labels.lower().endswith(".json"):
        file = Path(labels).expanduser()
        return _by_rows(found, read_json_file(file), file.name)
    if labels not in ("auto", "folder", "parent"):
        raise ValueError(
            f"data.labels is {labels!r}: choose auto, folder, parent, none, FILE.csv or FILE.json"
        )
    if labels == "auto" and any(video.hint is not None for video in found):
        return _by_hints(found)
    rows = _rows_of(tables, root) if labels == "auto" else []
    return _by_rows(found, rows, "dataset.json") if rows else _by_folders(found, root, labels)


def _by_hints(found: list[Found]) -> Labelling:
    lacking = [video.name for video in found if video.hint is None]
    if lacking:
        raise ValueError(f"data.labels: {_some(lacking)} without a label, others with one; data.labels=none?")
    pairs = [(video, str(video.hint)) for video in found]
    return _numbered(pairs, sorted({hint for _, hint in pairs}, key=natural), "labels stored with the videos")


def _rows_of(tables: list[File], root: Path) -> list[Row]:
    top = root if root.is_dir() else root.parent
    rows: list[Row] = []
    for table in tables:
        try:
            with open_file(top, table.archive, table.member) as opened:
                rows += read_json(opened.read(), table.member, "/".join(table.parents))
        except (OSError, Unreadable) as error:
            raise ValueError(f"{table.member}: {reason(error)}") from error
    return rows  # none, too, where StyleGAN's tool has written {"labels": null}


def _by_folders(found: list[Found], root: Path, labels: str) -> Labelling:
    shared = 0  # folders that all videos lie in are no classes
    while all(len(v.parents) > shared for v in found) and len({v.parents[shared] for v in found}) == 1:
        shared += 1
    flat = [video.name for video in found if len(video.parents) <= shared]
    deep = [video.name for video in found if len(video.parents) > shared]
    if not deep:
        return Labelling([(video, None) for video in found], [])
    if flat:
        raise ValueError(
            f"data.path: {root} holds videos both directly ({flat[0]}) and in sub-folders ({deep[0]}): "
            "move them so that all have a class or none has, or choose data.labels=none"
        )
    pairs = [(video, video.parents[-1 if labels == "parent" else shared]) for video in found]
    return _numbered(
        pairs, sorted({name for _, name in pairs}), "by parent folder" if labels == "parent" else ""
    )


def _of_split(found: list[Found], root: Path, split: str | None) -> tuple[list[Found], set[str] | None]:
    """The videos without the folder of their split, and the names of those in `split`; None: there are no splits."""
    depth, kinds = _split_folders(found)
    if len(kinds) < 2 and split is None:
        return found, None
    if not kinds:
        if split == "all":
            return found, None
        raise ValueError(
            f"data.split={split}: {root} has no folders of splits; give data.split_file, or data.labels=FILE.csv "
            "with a column split"
        )
    if split is None:
        raise ValueError(
            f"data.path: the folders {_some(sorted(kinds))} of {root} are splits, no classes: choose "
            f"data.split={'|'.join(sorted(set(kinds.values())))}, or data.split=all"
        )
    kept = {
        video.name for video in found if split in ("all", kinds[video.parents[depth]], video.parents[depth])
    }
    if not kept:
        raise ValueError(f"data.split={split}: {root} has the folders {_some(sorted(kinds))}")
    every = [replace(video, parents=video.parents[:depth] + video.parents[depth + 1 :]) for video in found]
    return every, kept


def _split_folders(found: list[Found]) -> tuple[int, dict[str, str]]:
    """How deep the folders of splits lie, and which split each is; none if others lie beside them."""
    for depth in range(min(len(video.parents) for video in found)):
        names = {video.parents[depth] for video in found}
        kinds = {name: split for name in names if (split := _split_of(name))}
        if len(kinds) == len(names):
            return depth, kinds
        if len(names) > 1:
            break
    return 0, {}


def _split_of(name: str) -> str | None:
    words = re.split(r"[^a-z]+", name.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), None)


def _by_csv(found: list[Found], file: Path, split: str | None) -> Labelling:
    rows = read_csv(file)
    named = sorted({row.split for row in rows if row.split})
    if split not in (None, "all", *named):
        raise ValueError(f"data.split={split}: the column split of {file} has {_some(named) or 'no value'}")
    if split is None and len(named) > 1:
        raise ValueError(f"{file} has the splits {_some(named)}: choose data.split, or data.split=all")
    return _by_rows(found, rows, file.name, only=lambda row: split in (None, "all", row.split))


def _by_rows(found: list[Found], rows: list[Row], origin: str, only=None) -> Labelling:
    """Classes by a table of paths, of videos or of their frames.

    Without `only` every video must be in it; with it, just the videos of rows for which it is true are used.
    """
    lookup = _Lookup(found)
    chosen: dict[str, tuple[Found, str]] = {}
    missing: dict[str, Skipped] = {}
    for row in rows:
        if only is not None and not only(row):
            continue
        if not row.label:
            raise ValueError(f"{origin}: {row.path} has no label")
        video = lookup.find(row.path)
        if video is None:
            missing[row.path] = Skipped(row.path, f"is listed in {origin}, but not there")
        elif chosen.setdefault(video.name, (video, row.label))[1] != row.label:
            other = chosen[video.name][1]
            raise ValueError(f"{origin}: {video.name} has two classes, {other} and {row.label}")
    lacking = [video.name for video in found if video.name not in chosen]
    if not chosen or (only is None and lacking):
        raise ValueError(f"{origin} gives no class for {_some(lacking)}; choose data.labels=folder or none")
    if only is not None:
        origin = f"{len(chosen):,} of {len(found):,} by {origin}"
    classes = sorted({row.label for row in rows if row.label}, key=natural)
    return _numbered(_ordered(chosen.values()), classes, origin, tuple(missing.values()))


def _by_lists(found: list[Found], file: Path, split: str | None, labels: str) -> Labelling:
    """UCF-101's trainlist01.txt, testlist01.txt and classInd.txt."""
    files = list_of_split(file, split)
    names = read_class_index(file.with_name("classInd.txt"))
    lookup = _Lookup(found)
    listed = [(row, lookup.find(row.path)) for each in files for row in read_list(each, names)]
    missing = tuple(Skipped(row.path, "is listed, but not there") for row, video in listed if video is None)
    kept = {video.name: (video, row.label) for row, video in listed if video is not None}
    if not kept:
        raise ValueError(f"{file}: none of its {len(listed):,} videos is there")
    origin = f"{len(kept):,} of {len(found):,} by {', '.join(each.name for each in files)}"
    pairs = _ordered(kept.values())
    if labels == "none":
        return Labelling([(video, None) for video, _ in pairs], [], origin, missing)
    if not names:
        every = _by_folders(found, file, "folder")
        number = {video.name: label for video, label in every.videos}
        return Labelling([(v, number[v.name]) for v, _ in pairs], every.classes, origin, missing)
    # Lists of test videos give no number: the class is then that of the folder, or begins the file's name.
    by_length = sorted(names.values(), key=len, reverse=True)
    labelled = [(video, label or _class_in(video, by_length)) for video, label in pairs]
    lacking = [video.name for video, label in labelled if label is None]
    if lacking:
        raise ValueError(f"{file}: no class of classInd.txt for {_some(lacking)}; choose data.labels=none")
    classes = [names[number] for number in sorted(names)]
    return _numbered([(video, str(label)) for video, label in labelled], classes, origin, missing)


def _class_in(video: Found, names: list[str]) -> str | None:
    for name in names:
        if name in video.parents or re.match(rf"(v_)?{re.escape(name)}(_|$)", video.stem):
            return name
    return None


def _ordered(pairs: Iterable[tuple[Found, V]]) -> list[tuple[Found, V]]:
    return sorted(pairs, key=lambda pair: natural(pair[0].name))


def _numbered(
    pairs: Labelled, classes: list[str], origin: str, missing: tuple[Skipped, ...] = ()
) -> Labelling:
    number = {name: i for i, name in enumerate(classes)}
    return Labelling([(video, number[label]) for video, label in pairs], classes, origin, missing)


class _Lookup:
    """Videos by the ways in which tables write their paths: whole or without suffix, by the last name, by a frame."""

    def __init__(self, found: list[Found]):
        self._whole: dict[str, Found] = {}
        self._last: dict[str, Found | None] = {}  # None: several are called so
        for video in found:
            last = PurePosixPath(video.name).name
            path = "/".join((*video.parents, last))
            for key in (video.name, path, _bare(video.name, video.kind), _bare(path, video.kind)):
                self._whole.setdefault(key, video)
            for key in {last, _bare(last, video.kind)}:
                self._last[key] = video if self._last.get(key, video) is video else None

    def find(self, path: str) -> Found | None:
        path = str(PurePosixPath(path.replace("\\", "/"))).lstrip("/")
        keys = path, _bare(path, "video file"), str(PurePosixPath(path).parent)  # the last: it is a frame's
        for key in keys:
            if key in self._whole:
                return self._whole[key]
        for key in (PurePosixPath(key).name for key in keys):
            if key not in self._last:
                continue
            if self._last[key] is None:
                raise ValueError(
                    f"{path}: several videos are called {key}; give their paths from data.path on"
                )
            return self._last[key]
        return None


def _bare(path: str, kind: Kind) -> str:
    """Without suffix; folders have none, whatever dots are in their names."""
    return path if kind in ("frame folder", "array video") else re.sub(r"\.[A-Za-z0-9]{1,5}$", "", path)


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + f" and {len(names) - NAMED} more" * (len(names) > NAMED)
