"""How fast the run goes: clips per second between two logging events."""

import time
from typing import Any

from pytorch_lightning import Callback, Trainer

from vgen.training.video_gan import VideoGAN


class Throughput(Callback):
    """Logs `speed/clips_per_s`: real clips per second of training, other callbacks' work left out."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._clips = 0
        self._started = 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: VideoGAN, batch: Any, batch_idx: int) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._spent += time.perf_counter() - self._started
        self._clips += pl_module.clips_per_step
        if pl_module.iteration % pl_module.log_every == 0:
            pl_module.log_everywhere({"speed/clips_per_s": self._clips / self._spent})
            self._spent, self._clips = 0.0, 0
