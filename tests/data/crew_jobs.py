"""Jobs of all kinds for tests/data/test_crew.py; processes import them from here."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vgen.data.entry import Block, Probe, untimed
from vgen.data.packing import Job


@dataclass(frozen=True)
class Jobs:
    """Job number i does what `deeds[i]` says; "once" dies the first time only, as marked in `folder`."""

    deeds: tuple[str, ...]
    folder: Path

    def __call__(self, number: int) -> Job:
        return Job(str(number), None, lambda: Probe(2, 25.0, (4, 4), False), lambda: self._frames(number))

    def _frames(self, number: int) -> Iterator[Block]:
        yield untimed(np.full((1, 4, 4, 3), number, np.uint8))
        deed = self.deeds[number]
        mark = self.folder / str(number)
        if deed == "raise":
            raise ValueError("no\nvideo")
        if deed == "crash" or (deed == "once" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        if deed == "hang":
            time.sleep(600)
        yield untimed(np.full((1, 4, 4, 3), number, np.uint8))
