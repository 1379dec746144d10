"""Weights of published networks: found in a folder, else fetched from where they are published, and always hashed."""

import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from vgen.download import GoneError, digest_of, fetch


@dataclass(frozen=True)
class Source:
    """A published file.

    Attributes:
        file: its name in the weights folder; may contain folders.
        urls: where it is published, tried in order.
        sha256: of the published file, or None where nobody states it.
    """

    file: str
    urls: tuple[str, ...]
    sha256: str | None = None


@dataclass(frozen=True)
class Weights:
    """A file that is there.

    Attributes:
        path: where it lies.
        sha256: of its content.
        url: where it is published, None for a file that the user named.
        published: whether it is the published file, byte for byte; None where the published hash is not known.
    """

    path: Path
    sha256: str
    url: str | None
    published: bool | None

    def info(self) -> dict[str, Any]:
        """What goes with a result."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "url": self.url,
            "published": self.published,
        }


def weights_folder(folder: str | None) -> Path:
    """`folder`, else $VGEN_WEIGHTS, else ~/.cache/vgen/weights."""
    return Path(folder or os.environ.get("VGEN_WEIGHTS") or "~/.cache/vgen/weights").expanduser()


def find(named: str | None, sources: tuple[Source, ...], folder: str | None, *, download: bool) -> Weights:
    """The file that the user `named` (in the folder, or a path), else the first of `sources` that is there, else
    the first one fetched.

    Raises:
        FileNotFoundError: no such file; or no way to fetch it, naming file, URL and folder.
        ValueError: what was fetched is not the published file.
    """
    if named is not None:
        for source in sources:
            if named == source.file:
                return find_or_fetch(source, folder, download=download)
        # an absolute path replaces the folder
        for path in (weights_folder(folder) / Path(named).expanduser(), Path(named).expanduser()):
            if path.is_file():
                return _known(path, None)
        raise FileNotFoundError(f"weights {named} are neither in {weights_folder(folder)} nor a file's path")
    for source in sources:
        if (weights_folder(folder) / source.file).is_file():
            return find_or_fetch(source, folder, download=False)
    try:
        return find_or_fetch(sources[0], folder, download=download)
    except FileNotFoundError as error:
        others = "".join(f"; {source.file} from {source.urls[0]} would do as well" for source in sources[1:])
        raise FileNotFoundError(f"{error}{others}") from None


def find_or_fetch(source: Source, folder: str | None = None, *, download: bool = True) -> Weights:
    """`source` in the weights folder, fetched there first if it is missing.

    A fetch shows a progress bar, goes on where an interrupted one stopped, and appears under its name only when
    complete. Processes that ask at once wait for one of them. The hash is kept beside it in `<file>.sha256`. A file
    that was put there by hand is taken as it is, and `published` says whether it is the published one.

    Raises:
        FileNotFoundError: it is missing and cannot be fetched; one line with file, URL and folder.
        ValueError: what was fetched has another hash than the published file.
    """
    path = weights_folder(folder) / source.file
    if not path.is_file():
        if not download:
            raise FileNotFoundError(f"{_missing(source, path)} (weights.download is off)")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.name}.lock")):
                if not path.is_file():  # another process may have fetched it while this one waited
                    _fetch(source, path)
        except PermissionError:
            raise FileNotFoundError(f"{_missing(source, path)} (the folder cannot be written)") from None
    found = _known(path, source)
    _record(found)
    return found


def load_tensors(path: Path, *, expected: str) -> dict[str, Any]:
    """The dictionary in a file of torch or safetensors; nothing in it is executed.

    Raises:
        ValueError: not such a file; `expected` says what would have been one.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        # mapped, so that a 10 GB checkpoint costs the memory of the part that is used
        mapped = zipfile.is_zipfile(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError):
        raise ValueError(
            f"{path} is not a file of weights that can be read safely; expected {expected}"
        ) from None
    except Exception as error:  # safetensors has an exception of its own
        if type(error).__name__ != "SafetensorError":
            raise
        raise ValueError(
            f"{path} is not a file of weights that can be read safely; expected {expected}"
        ) from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds no state dict; expected {expected}")
    return dict(content)


def load_into(module: torch.nn.Module, state: Mapping[str, Any], path: Path, *, expected: str) -> None:
    """Copy `state` into `module`, all or nothing.

    Raises:
        ValueError: a tensor is missing, unknown or of another shape; one line with the first of each kind.
    """
    if not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} holds no state dict; expected {expected}")
    wanted = module.state_dict()
    counted = "num_batches_tracked"  # older files lack it and evaluation does not read it
    missing = [key for key in wanted if key not in state and not key.endswith(counted)]
    unknown = [key for key in state if key not in wanted]
    reshaped = [key for key in state if key in wanted and state[key].shape != wanted[key].shape]
    faults = [
        f"{len(keys)} keys {what} (first: {keys[0]})"
        for what, keys in (("missing", missing), ("unknown", unknown), ("of another shape", reshaped))
        if keys
    ]
    if faults:
        raise ValueError(f"{path} does not fit: {', '.join(faults)}; expected {expected}")
    module.load_state_dict(state, strict=False)


def _known(path: Path, source: Source | None) -> Weights:
    digest = digest_of(path, "sha256")
    if source is None:
        return Weights(path, digest, None, None)
    published = None if source.sha256 is None else digest == source.sha256
    return Weights(path, digest, source.urls[0], published)


def _record(found: Weights) -> None:
    record = found.path.with_name(found.path.name + ".sha256")
    line = f"{found.sha256}  {found.path.name}\n"
    try:
        if not record.is_file() or record.read_text() != line:
            record.write_text(line)
    except OSError:
        pass  # a shared folder that is not ours to write to; the result carries the hash


def _missing(source: Source, path: Path) -> str:
    return (
        f"weights {source.file} not found: fetch {' or '.join(source.urls)} and put it into {path.parent} as "
        f"{path.name}, or set weights.dir (or VGEN_WEIGHTS) to the folder that has it"
    )


def _fetch(source: Source, path: Path) -> None:
    try:
        fetch(source.urls, path, checksum=source.sha256 and f"sha256:{source.sha256}")
    except GoneError as error:
        raise FileNotFoundError(f"{_missing(source, path)} ({error})") from None
