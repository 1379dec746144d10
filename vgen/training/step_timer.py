"""Where the time of a training step goes, part by part."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import torch

_NOTHING: AbstractContextManager[None] = nullcontext()


class Timer(Protocol):
    """Called with the name of a part, gives the context in which that part runs."""

    def __call__(self, part: str) -> AbstractContextManager[None]: ...


def untimed(part: str) -> AbstractContextManager[None]:
    """Measures nothing and costs a tenth of a microsecond."""
    return _NOTHING


class StepTimer:
    """Adds up the seconds of each part; parts that run inside another count for themselves only.

    On an accelerator it waits for the device at every boundary, without which all time would seem to pass in whatever
    synchronises next; the run is slower for it.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        self._settle()
        self._open.append(part)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    def add(self, part: str, seconds: float) -> None:
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    def flush(self) -> dict[str, float]:
        """Seconds of each part since the last flush."""
        seconds, self.seconds = self.seconds, {}
        return seconds

    def _settle(self) -> None:
        """Give the time since the last boundary to the innermost open part."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        if self._open:
            self.add(self._open[-1], now - self._since)
        self._since = now
