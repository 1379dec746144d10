"""Checkpoint files: written whole or not at all, read without unpickling code."""

import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO


class CheckpointError(ValueError):
    """A checkpoint cannot be written or read; the message is one line for the user."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, syncs, then renames: a kill or a full disk leaves the previous file as it was."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        for stale in target.parent.glob(f".{target.name}.*.partial"):
            stale.unlink(missing_ok=True)
        needed, free = _tensor_bytes(checkpoint), shutil.disk_usage(target.parent).free
        try:
            if free < needed:
                raise OSError(f"{needed / 1e6:.3g} MB needed, {free / 1e6:.3g} MB free")
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
            _sync_folder(target.parent)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            kept = f"the previous {target.name} is untouched" if target.exists() else "nothing was written"
            raise CheckpointError(
                f"cannot write checkpoint {target}: {error}; {kept}. Free some space."
            ) from error

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Callable[..., Any] | None = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        return read_checkpoint(path, map_location=map_location)


def read_checkpoint(path: str | os.PathLike[str], map_location: Any = "cpu") -> dict[str, Any]:
    """The contents of a checkpoint file; tensors and plain values only (`weights_only=True`).

    Raises FileNotFoundError or CheckpointError with the path for files that are missing, damaged, or not vgen's.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} does not exist")
    try:
        _check_sums(path)
        contents = torch.load(path, map_location=map_location, weights_only=True)
    except (
        OSError,
        RuntimeError,
        EOFError,
        KeyError,
        ValueError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as e:
        detail = str(e).splitlines()[0].split(". ")[0][:120] if str(e) else type(e).__name__
        raise CheckpointError(f"checkpoint {path} is damaged or not a checkpoint ({detail})") from e
    if not isinstance(contents, dict) or "state_dict" not in contents or "vgen" not in contents:
        raise CheckpointError(f"{path} is not a checkpoint written by vgen train")
    return contents


def _check_sums(path: Path) -> None:
    """Raise zipfile.BadZipFile for a file whose bytes have changed; torch writes checksums and does not read them."""
    with zipfile.ZipFile(path) as archive:
        wrong = archive.testzip()
    if wrong is not None:
        raise zipfile.BadZipFile(f"the checksum of {wrong} does not fit")


def load_weights(
    module: torch.nn.Module, weights: dict[str, torch.Tensor], path: str | os.PathLike[str]
) -> None:
    """Load `weights` into `module` strictly; CheckpointError naming the first mismatch if they do not fit."""
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in expected.keys() | found.keys():
        if expected.get(name) != found.get(name):
            wrong = sum(expected.get(n) != found.get(n) for n in expected.keys() | found.keys())
            raise CheckpointError(
                f"checkpoint {path} is of another model: {name} is {found.get(name, 'missing')} there and "
                f"{expected.get(name, 'missing')} here ({wrong} tensors differ)"
            )
    module.load_state_dict(weights)


def find_checkpoint(path: str | os.PathLike[str], key: str = "checkpoint") -> Path:
    """The checkpoint that a run folder or a file stands for: the best by the monitored metric, else the last.

    `key` is what `path` was given as. Raises FileNotFoundError if there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(f"{key}={path}: there is no such run folder or file")
    for name in ("best.ckpt", "last.ckpt"):
        for folder in (path / "checkpoints", path):
            if (folder / name).is_file():
                return folder / name
    raise FileNotFoundError(
        f"{key}={path}: no checkpoints/best.ckpt or last.ckpt in that folder; has the run written one yet?"
    )


def _tensor_bytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(_tensor_bytes(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(_tensor_bytes(item) for item in value)
    return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
