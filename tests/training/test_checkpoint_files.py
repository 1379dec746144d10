"""Checkpoints are whole or absent, and bad ones are named in one line."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from vgen.training import checkpoint as checkpoint_module
from vgen.training.checkpoint import (
    AtomicCheckpointIO,
    CheckpointError,
    find_checkpoint,
    load_weights,
    read_checkpoint,
)

GOOD = {"state_dict": {"w": torch.arange(3.0)}, "vgen": {"iteration": 1, "config": {}}}


def test_round_trip(tmp_path: Path) -> None:
    AtomicCheckpointIO().save_checkpoint(GOOD, tmp_path / "deep" / "last.ckpt")
    assert torch.equal(read_checkpoint(tmp_path / "deep" / "last.ckpt")["state_dict"]["w"], torch.arange(3.0))
    assert [f.name for f in (tmp_path / "deep").iterdir()] == ["last.ckpt"]


def test_a_full_disk_keeps_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(GOOD, file)

    def full(contents: object, stream: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint_module.torch, "save", full)
    with pytest.raises(CheckpointError, match=r"No space left.*previous last\.ckpt is untouched"):
        AtomicCheckpointIO().save_checkpoint({**GOOD, "vgen": {}}, file)
    monkeypatch.undo()
    assert read_checkpoint(file)["vgen"]["iteration"] == 1
    assert [f.name for f in tmp_path.iterdir()] == ["last.ckpt"]


def test_too_little_space_is_noticed_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = checkpoint_module.shutil.disk_usage(tmp_path)._replace(free=4)
    monkeypatch.setattr(checkpoint_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CheckpointError, match="nothing was written"):
        AtomicCheckpointIO().save_checkpoint(GOOD, tmp_path / "last.ckpt")


def test_kill_during_a_write_keeps_a_whole_checkpoint(tmp_path: Path) -> None:
    writer = (
        "import sys, torch\n"
        "from vgen.training.checkpoint import AtomicCheckpointIO\n"
        "io, n = AtomicCheckpointIO(), 0\n"
        "while True:\n"
        "    n += 1\n"
        "    io.save_checkpoint({'state_dict': {'w': torch.full((200_000,), float(n))},"
        " 'vgen': {'iteration': n}}, sys.argv[1])\n"
    )
    file = tmp_path / "last.ckpt"
    process = subprocess.Popen([sys.executable, "-c", writer, str(file)])
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.31)
    process.send_signal(signal.SIGKILL)
    process.wait()
    contents = read_checkpoint(file)
    assert contents["state_dict"]["w"].unique().tolist() == [float(contents["vgen"]["iteration"])]


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "flipped"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(GOOD, file)
    whole = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "text": b"not a checkpoint",
            "truncated": whole[: len(whole) // 2],
            "flipped": b"\0" + whole[1:],
        }[damage]
    )
    with pytest.raises(CheckpointError, match=r"last\.ckpt") as raised:
        read_checkpoint(file)
    assert "\n" not in str(raised.value)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    torch.save({"model": 1}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint written by vgen"):
        read_checkpoint(tmp_path / "other.pt")
    torch.save(nn.Linear(1, 1), tmp_path / "pickled.pt")
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        read_checkpoint(tmp_path / "pickled.pt")
    with pytest.raises(FileNotFoundError, match="missing"):
        read_checkpoint(tmp_path / "missing.ckpt")


def test_another_model_is_named_by_its_first_differing_tensor() -> None:
    with pytest.raises(CheckpointError, match=r"another model: weight is \(2, 3\) there and \(4, 3\) here"):
        load_weights(nn.Linear(3, 4, bias=False), nn.Linear(3, 2, bias=False).state_dict(), "x.ckpt")


def test_a_run_folder_stands_for_its_best_then_its_last(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoints/best"):
        find_checkpoint(tmp_path)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "last.ckpt").touch()
    assert find_checkpoint(tmp_path) == folder / "last.ckpt"
    (folder / "best.ckpt").touch()
    assert find_checkpoint(tmp_path) == folder / "best.ckpt"
    assert find_checkpoint(folder / "last.ckpt") == folder / "last.ckpt"
    with pytest.raises(FileNotFoundError, match="no such run folder"):
        find_checkpoint(tmp_path / "nothing")


def test_changed_bytes_are_found(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    torch.save({"state_dict": {"weight": torch.arange(1000.0)}, "vgen": {}}, file)
    read_checkpoint(file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="the checksum of"):
        read_checkpoint(file)
