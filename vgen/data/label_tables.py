"""Files that say which class a video has: CSV, StyleGAN's dataset.json, UCF-101's lists."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vgen.data.entry import reason


@dataclass(frozen=True)
class Row:
    """A line of a table: path of a video (or of one of its frames), class and split where it says them."""

    path: str
    label: str | None
    split: str | None = None


def read_csv(file: Path) -> list[Row]:
    """Rows of a table with the columns path, label and perhaps split.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is none.
    """
    _require(file)
    with open(file, newline="", encoding="utf-8-sig") as opened:
        try:
            table = csv.DictReader(opened)
            columns = table.fieldnames or []
            if "path" not in columns or "label" not in columns:
                raise ValueError(
                    f"{file}: it needs a first line with the columns path, label and perhaps split; it has "
                    f"{', '.join(columns)[:80] or 'nothing'}"
                )
            return [Row(row["path"] or "", row["label"], row.get("split")) for row in table]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{file}: {reason(error)}") from error


def read_json(content: bytes, name: str, prefix: str = "") -> list[Row]:
    """The labels of a dataset.json, {"labels": {path: class}} or pairs; none if it says null.

    Args:
        name: of the file, for messages.
        prefix: the folder that its paths start from.

    Raises:
        ValueError: it is not that.
    """
    wrong = f'{name}: expected {{"labels": {{path: class}}}} or a list of [path, class]'
    try:
        labels: Any = json.loads(content)["labels"]
        pairs = (
            labels.items() if isinstance(labels, dict) else [(path, label) for path, label in labels or ()]
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(wrong) from error
    rows = []
    for path, label in pairs:
        if not isinstance(path, str) or isinstance(label, bool) or not isinstance(label, int | str):
            raise ValueError(f"{wrong}, each class a whole number or a name; {path!r} has {str(label)[:40]}")
        rows.append(Row(f"{prefix}/{path}" if prefix else path, str(label)))
    return rows


def read_json_file(file: Path) -> list[Row]:
    """`read_json` of a file of any name. Raises FileNotFoundError, ValueError."""
    _require(file)
    return read_json(file.read_bytes(), str(file))


def read_list(file: Path, names: dict[int, str]) -> list[Row]:
    """Rows of a list: a path per line, perhaps followed by the number of its class (see `read_class_index`).

    Raises:
        FileNotFoundError: no such file.
        ValueError: a number without name.
    """
    _require(file)
    rows = []
    for line in file.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        path, _, number = line.strip().rpartition(" ")
        if not (path and number.isdecimal()):
            path, number = line.strip(), ""
        if names and number and int(number) not in names:
            raise ValueError(f"{file}: {path} has class {number}, which classInd.txt does not name")
        if path:
            rows.append(Row(path.strip(), names[int(number)] if names and number else None))
    return rows


def read_class_index(file: Path) -> dict[int, str]:
    """Number -> name, of lines such as "1 ApplyEyeMakeup"; empty if there is no such file. Raises ValueError."""
    if not file.exists():
        return {}
    lines = [
        line.split(maxsplit=1) for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()
    ]
    if not all(len(line) == 2 and line[0].isdecimal() for line in lines):
        raise ValueError(f"{file}: expected lines of a number and a name, such as 1 ApplyEyeMakeup")
    return {int(number): name.strip() for number, name in lines}


def list_of_split(file: Path, split: str | None) -> list[Path]:
    """The list of a split beside `file`: trainlist01.txt -> testlist01.txt; of "all" those that are there.

    Raises:
        ValueError: an unknown split, or the name of `file` does not say of which split it is the list.
    """
    kinds = ("train", "val", "test")
    if split is None:
        return [file]
    if split not in (*kinds, "all"):
        raise ValueError(f"data.split is {split!r}: of lists, choose train, val, test or all")
    own = next((kind for kind in kinds if kind in file.name), None)
    if own is None:
        raise ValueError(f"data.split={split}: the name of {file} does not say of which split it is the list")
    files = {kind: file.with_name(file.name.replace(own, kind)) for kind in kinds}
    return [files[split]] if split != "all" else [f for kind, f in files.items() if kind == own or f.exists()]


def _require(file: Path) -> None:
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
