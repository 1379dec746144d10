"""One process at a time writes into a run folder."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vgen.config import ConfigError


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Hold the run folder; two processes in it would overwrite each other's checkpoints and mix their numbers.

    The lock ends with the process, `kill -9` included, and is not handed on to loader processes.

    Raises:
        ConfigError: another process has it.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / ".lock").open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            raise ConfigError(
                f"{file.read().strip() or 'another process'} works on {run}: wait for it or stop it, or give "
                "another output= for another run"
            ) from None
        except OSError:  # a file system without locks
            yield
            return
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
