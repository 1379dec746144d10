"""Features on disk: what was extracted once is found again, by whoever asks the same question.

The key is a hash of what decides the numbers: which clips (`ClipSet.identity`), which extractor
(`Extractor.fingerprint`) and the text of the code that reads the ones and is the other.
"""

import hashlib
import inspect
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vgen.clip import Extractor
from vgen.files import replacing
from vgen.protocol.contract import ClipSet
from vgen.protocol.features import Features

log = logging.getLogger("vgen")

FORMAT = "vgen-features-1"
_HASHES = "clip_hashes"


class FeatureStore:
    """A folder of features: one file per question that was answered to the end, parts of those that were not.

    Several processes may use it at once, also for one question: files are written whole or not at all, and all
    write the same. A full disk or a folder that cannot be written to costs the cache, not the evaluation.

    Args:
        folder: default `$VGEN_FEATURES`, else ~/.cache/vgen/features.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        chosen = folder or os.environ.get("VGEN_FEATURES") or "~/.cache/vgen/features"
        self.folder = Path(chosen).expanduser().absolute()

    @classmethod
    def chosen(cls, setting: "str | bool | None") -> "FeatureStore | None":
        """The store that a setting means: a folder, None for the default one, False for none at all."""
        if setting is False:
            return None
        return cls(None if setting is None or setting is True else setting)

    def shelf(self, clips: ClipSet, extractor: Extractor) -> "Shelf":
        """The place of the features of `clips` by `extractor`."""
        behind = [sys.modules[Features.__module__], clips, extractor]
        if hasattr(clips, "source"):  # what resizes on reading is not in a fingerprint of stored pixels
            behind.append(clips.source)  # type: ignore[attr-defined]
        question = {
            "clips": clips.identity,
            "count": len(clips),
            "extractor": extractor.fingerprint,
            "code": code_version(*behind),
        }
        text = json.dumps(question, sort_keys=True)
        return Shelf(self.folder, hashlib.sha256(text.encode()).hexdigest()[:40], text, len(clips))


class Shelf:
    """The features of one set of clips by one extractor, as far as they are there.

    Args:
        folder: of the store.
        key: name of the files.
        question: what the key is a hash of; kept beside the features for those who look.
        count: clips in the set.
    """

    def __init__(self, folder: Path, key: str, question: str, count: int) -> None:
        self.file = folder / f"{key}.safetensors"
        self.parts = folder / f"{key}.parts"
        self._question, self._count = question, count
        self._usable = True

    def held(self) -> dict[int, Features]:
        """Number of a clip -> the features from it on; the whole set under 0, or runs of neighbouring parts."""
        if self.file.is_file():
            whole = self._read(self.file)
            if whole and len(whole[1].hashes) == self._count:
                return {0: whole[1]}
        runs: dict[int, list[Features]] = {}
        end, first = -1, 0
        for start, rows in self._sorted_parts():
            if start != end or rows.shape != runs[first][0].shape:
                if start < end:
                    continue  # of a run with other batches; its clips are here already
                first = start
                runs[first] = []
            runs[first].append(rows)
            end = start + len(rows.hashes)
        return {first: Features.join(rows) for first, rows in runs.items()}

    def add(self, start: int, rows: Features) -> None:
        """Keep the features of the clips from number `start` on."""
        self._write(self.parts / f"{start:09d}-{start + len(rows.hashes):09d}.safetensors", start, rows)

    def finish(self, rows: Features) -> None:
        """Keep the features of the whole set in one file; the parts go."""
        if self._write(self.file, 0, rows):
            shutil.rmtree(self.parts, ignore_errors=True)

    def _sorted_parts(self) -> list[tuple[int, Features]]:
        try:
            # a name that begins with a dot is being written
            files = [f for f in self.parts.iterdir() if f.suffix == ".safetensors" and f.name[0] != "."]
        except OSError:
            return []
        parts = [part for part in map(self._read, sorted(files)) if part is not None]
        return [(start, rows) for start, rows in parts if start + len(rows.hashes) <= self._count]

    def _read(self, file: Path) -> tuple[int, Features] | None:
        try:
            with safe_open(file, framework="pt") as opened:
                metadata: dict[str, str] = opened.metadata() or {}
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            if metadata.get("format") != FORMAT or metadata["digest"] != _digest(tensors):
                raise ValueError("its content is not what was written")
            rows = tensors.pop(_HASHES)
            hashes = tuple(bytes(row) for row in rows.numpy())
            return int(metadata["start"]), Features(tensors, tuple(json.loads(metadata["shape"])), hashes)
        except FileNotFoundError:
            return None  # another process has just put the parts together
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            log.warning("features in %s cannot be used and are made again (%s)", file, error)
            return None

    def _write(self, file: Path, start: int, rows: Features) -> bool:
        if not self._usable:
            return False
        hashes = torch.frombuffer(bytearray(b"".join(rows.hashes)), dtype=torch.uint8)
        tensors = {role: value.contiguous() for role, value in rows.values.items()}
        tensors[_HASHES] = hashes.view(len(rows.hashes), -1)
        metadata = {
            "format": FORMAT,
            "digest": _digest(tensors),
            "start": str(start),
            "shape": json.dumps(rows.shape),
            "question": self._question,
        }
        try:
            with replacing(file) as partial:
                save_file(tensors, partial, metadata=metadata)
        except (OSError, SafetensorError) as error:
            log.warning("features cannot be kept in %s and the evaluation goes on without (%s)", file, error)
            self._usable = False
        return self._usable


def code_version(*things: Any) -> str:
    """16 hex digits: hash of the source text behind modules and objects, with what they take from their package.

    A network is made by the classes of all its submodules. Names that a module imports lead on to the modules
    they come from, as long as these belong to the same package; installed libraries are left to `versions`.
    """
    found: dict[str, ModuleType] = {}
    for thing in things:
        if isinstance(thing, ModuleType):
            _follow(thing, found, deep=False)
            continue
        classes = {type(part) for part in thing.modules()} if isinstance(thing, nn.Module) else {type(thing)}
        own = type(thing).__module__.partition(".")[0]
        for module in {c.__module__ for c in classes}:
            if module.partition(".")[0] in (own, "vgen"):
                _follow(sys.modules[module], found, deep=True)
    text = [(name, _source(module)) for name, module in sorted(found.items())]
    return hashlib.sha256(json.dumps(text).encode()).hexdigest()[:16]


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """16 hex digits: hash of named tensors, wherever they lie."""
    return _digest({name: value.detach().cpu() for name, value in weights.items()})[:16]


def _follow(module: ModuleType, found: dict[str, ModuleType], *, deep: bool) -> None:
    if module.__name__ in found:
        return
    found[module.__name__] = module
    package = module.__name__.partition(".")[0] + "."
    for value in list(vars(module).values()) if deep else ():
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str) and name.startswith(package) and name in sys.modules:
            _follow(sys.modules[name], found, deep=True)


@cache
def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return module.__name__


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, value in _sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _sorted(items: Iterable[tuple[str, Tensor]]) -> list[tuple[str, Tensor]]:
    return sorted(items, key=lambda item: item[0])
