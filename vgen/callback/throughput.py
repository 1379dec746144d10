"""How fast the run goes: clips per second between two logging events."""

import time
from typing import Any

from pytorch_lightning import Callback, Trainer

from vgen.training.video_gan import VideoGAN


class Throughput(Callback):
    """Logs `speed/clips_per_s`: real clips per second of loading and training; other callbacks' work is left out."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._clips = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._spent += time.perf_counter() - pl_module.step_started
        self._clips += pl_module.clips_per_step
        if pl_module.iteration % pl_module.log_every == 0:
            pl_module.log_everywhere({"speed/clips_per_s": self._clips / self._spent})
            self._spent, self._clips = 0.0, 0
