"""Commands in processes of their own, a few at a time: one that fails, or that the system kills, ends no other."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vgen.config import ConfigError

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


@dataclass(frozen=True)
class Child:
    """A command, and the file that its output is appended to."""

    name: str
    command: tuple[str, ...]
    log: Path


def run_children(
    children: Sequence[Child],
    *,
    at_once: int,
    devices: Sequence[int | str] = (),
    lock: int | None = None,
    tell: Callable[[str], None] = print,
) -> dict[str, str]:
    """Run all of them and wait. Returns name -> error line of those that failed.

    Args:
        at_once: how many at a time; with `devices` as many as there are.
        devices: GPUs; each child sees one of them, its own while it runs.
        lock: file descriptor that children hold open as long as they live (`holding`).
        tell: gets a line at each start and end.
    """
    free: list[int | str | None] = list(devices) or [None] * at_once
    waiting = list(enumerate(children, start=1))
    running: dict[subprocess.Popen[bytes], tuple[Child, int | str | None, int, float]] = {}
    errors: dict[str, str] = {}
    try:
        while waiting or running:
            while waiting and free:
                number, child = waiting.pop(0)
                device = free.pop(0)
                tell(f"[{number}/{len(children)}] {child.name}")
                child.log.parent.mkdir(parents=True, exist_ok=True)
                before = child.log.stat().st_size if child.log.exists() else 0
                running[_start(child, device, lock)] = (child, device, before, time.monotonic())
            time.sleep(0.05)
            for process in [p for p in running if p.poll() is not None]:
                child, device, before, started = running.pop(process)
                free.append(device)
                took = f"{time.monotonic() - started:.0f} s"
                if process.returncode == 0:
                    tell(f"{child.name}: finished in {took}")
                else:
                    errors[child.name] = error_line(child.log, before, process.returncode)
                    tell(f"{child.name}: failed after {took}: {errors[child.name]}")
    except BaseException:
        for process in running:
            process.terminate()  # vgen train writes a checkpoint and leaves
        for process in running:
            process.wait()
        raise
    return errors


def error_line(log: Path, start: int, code: int) -> str:
    """Why a command of vgen failed, in one line."""
    with log.open("rb") as file:
        file.seek(start)
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if line.startswith("vgen: error: ")), None)
    if told is not None:
        return told.removeprefix("vgen: error: ")
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return lines[-1].strip() if lines else f"exit code {code}"


def _start(child: Child, device: int | str | None, lock: int | None) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = str(device)
    with child.log.open("ab") as log:
        return subprocess.Popen(
            child.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            pass_fds=() if lock is None else (lock,),
            preexec_fn=_end_with_parent(),
        )


def _end_with_parent() -> Callable[[], None] | None:
    """On Linux a child is told to stop when its parent is killed; elsewhere it ends its run and then is done."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)  # loaded here: after the fork nothing may be imported

    def ask() -> None:
        library.prctl(_DIE_WITH_PARENT, signal.SIGTERM)

    return ask


@contextmanager
def holding(file: Path, tell: Callable[[str], None] = print) -> Iterator[int]:
    """Let one process at a time work in a folder. The children of one that was killed hold the lock until they end.

    Raises:
        ConfigError: the process that has it is alive.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            opened.seek(0)
            holder = opened.read().strip()
            if holder.isdecimal() and _is_alive(int(holder)):
                raise ConfigError(
                    f"process {holder} works in {file.parent}: wait for it or stop it"
                ) from None
            tell("waiting for the runs of a killed start to write their checkpoints")
            fcntl.flock(opened, fcntl.LOCK_EX)
        opened.truncate(0)
        opened.write(str(os.getpid()))
        opened.flush()
        yield opened.fileno()


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
