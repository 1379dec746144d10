"""The other ranks of a run on this machine.

Lightning's own launcher runs `sys.argv` again in every child. Under a multirun each child would then run the
whole sweep, and with an unseeded sweeper ranks would train different jobs together without an error. Here a
child gets the command of one job, and this process's environment is left as it was found.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import torch

_VARIABLES = (
    "MASTER_ADDR",
    "MASTER_PORT",
    "WORLD_SIZE",
    "NODE_RANK",
    "LOCAL_RANK",
    "RANK",
    "LOCAL_WORLD_SIZE",
)

# What it takes to ask Slurm for a requeue.
_OF_THE_JOB = ("SLURM_CONF", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")


def process_count(accelerator: str, devices: int | str | Sequence[int]) -> int:
    """How many processes `trainer.devices` means on this machine; ValueError where it means none."""
    if isinstance(devices, str) and devices not in ("auto", "-1"):
        devices = [int(d) for d in devices.split(",")] if "," in devices else int(devices)
    if devices == [] or (isinstance(devices, int) and (devices == 0 or devices < -1)):
        raise ValueError(f"trainer.devices={devices}: must be at least 1, or -1 for all")
    if isinstance(devices, int) and devices != -1:
        return devices
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        return len(devices)
    return max(1, torch.cuda.device_count()) if accelerator in ("gpu", "cuda", "auto") else 1


def launched_externally() -> bool:
    """True if torchrun, Slurm or the like has started this process as one of several."""
    return "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", "1")) > 1


@contextlib.contextmanager
def other_ranks(count: int, command: Sequence[str]) -> Iterator[None]:
    """Run `command` as ranks 1 ... count - 1 while the block runs as rank 0.

    Raises RuntimeError if another rank fails although this one did not.
    """
    if count <= 1 or launched_externally():
        yield
        return
    # Inside a Slurm allocation of one task Lightning would take every process for rank 0 of 1.
    slurm = [name for name in os.environ if name.startswith("SLURM_") and name not in _OF_THE_JOB]
    before = {name: os.environ.get(name) for name in (*_VARIABLES, *slurm)}
    for name in slurm:
        del os.environ[name]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(count),
        "NODE_RANK": "0",
    }
    os.environ.update(shared, LOCAL_RANK="0")
    children = [
        subprocess.Popen(list(command), env=os.environ | {"LOCAL_RANK": str(rank)})
        for rank in range(1, count)
    ]
    done = threading.Event()
    threading.Thread(target=_watch, args=(children, done), daemon=True).start()
    try:
        yield
        done.set()
        codes = [child.wait(timeout=120) for child in children]
        if any(codes):
            raise RuntimeError(
                f"rank {codes.index(next(c for c in codes if c)) + 1} failed; see its output above"
            )
    finally:
        done.set()
        for child in children:
            if child.poll() is None:
                child.terminate()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _watch(children: list[subprocess.Popen[bytes]], done: threading.Event) -> None:
    """End this process when a child has failed: a collective that waits for it would wait for ever."""
    while not done.wait(0.5):
        failed = next((child for child in children if child.poll() not in (None, 0)), None)
        if failed is None:
            continue
        # A broken connection mostly raises in this process within seconds; that error says more.
        if not done.wait(20):
            rank = children.index(failed) + 1
            print(f"vgen: error: rank {rank} ended with code {failed.returncode}; stopping", file=sys.stderr)
            for child in children:
                child.kill()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(20)
            os._exit(1)
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
