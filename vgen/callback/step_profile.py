"""What each part of a training step costs: `trainer.profile=true`."""

import logging
import time
from typing import Any

from pytorch_lightning import Callback, Trainer

from vgen.training.step_timer import StepTimer
from vgen.training.video_gan import VideoGAN

log = logging.getLogger("vgen")


class StepProfile(Callback):
    """Logs `time/<part>_ms` (mean milliseconds per iteration since the last logging event) and a table at the end.

    "data" is the wait for the loader; "rest" what is left of the iteration: Lightning, callbacks, logging.
    """

    def __init__(self) -> None:
        self.total: dict[str, float] = {}
        self.iterations = 0
        self._timer = StepTimer()
        self._iterations = 0
        self._since = 0.0
        self._ended = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        self._timer = StepTimer(pl_module.device)
        pl_module.timed = self._timer
        self._since = self._ended = time.perf_counter()

    def on_train_batch_start(self, trainer: Trainer, pl_module: VideoGAN, batch: Any, batch_idx: int) -> None:
        self._timer.add("data", time.perf_counter() - self._ended)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._iterations += 1
        if pl_module.iteration % pl_module.log_every == 0:
            self._account(pl_module)
        self._ended = time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        if self._iterations:
            self._account(pl_module)
        if self.iterations and trainer.is_global_zero:
            log.info("%s", self.table())

    def table(self) -> str:
        """Milliseconds per iteration and share of each part, costliest first."""
        whole = sum(self.total.values())
        lines = [f"time of an iteration (mean of {self.iterations}): {1000 * whole / self.iterations:.2f} ms"]
        for part, seconds in sorted(self.total.items(), key=lambda item: -item[1]):
            lines.append(f"  {part:<16}{1000 * seconds / self.iterations:10.3f} ms{seconds / whole:8.1%}")
        return "\n".join(lines)

    def _account(self, pl_module: VideoGAN) -> None:
        now = time.perf_counter()
        seconds = self._timer.flush()
        seconds["rest"] = max(0.0, now - self._since - sum(seconds.values()))
        for part, spent in seconds.items():
            self.total[part] = self.total.get(part, 0.0) + spent
        self.iterations += self._iterations
        pl_module.log_everywhere(
            {f"time/{part}_ms": 1000 * spent / self._iterations for part, spent in seconds.items()}
        )
        self._iterations, self._since = 0, now
