"""One progress bar over the whole run, counted in clips: losses, clips per second, time left."""

import sys
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from vgen.training.video_gan import VideoGAN


class ClipProgress(ProgressBar):
    """tqdm over the real clips shown to the discriminator; losses are those of the last logging event."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: tqdm | None = None

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        # Lightning calls this on all ranks but the first.
        self._enabled = False

    def on_train_start(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=trainer.max_steps * pl_module.clips_per_step,
            initial=pl_module.clips_seen,
            unit="clip",
            desc="train",
            disable=not self._enabled,
            dynamic_ncols=terminal,
            ncols=None if terminal else 100,
            mininterval=0.2 if terminal else 15,
            smoothing=0.05,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._bar is None:
            return
        if pl_module.iteration % pl_module.log_every == 0:
            seen = trainer.callback_metrics
            shown = {n: f"{float(seen[f'loss/{n}']):.3f}" for n in ("d", "g") if f"loss/{n}" in seen}
            self._bar.set_postfix(shown, refresh=False)
        self._bar.update(pl_module.clips_per_step)

    def on_train_end(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: VideoGAN, exception: BaseException) -> None:
        self._close()

    def print(self, *args: Any, sep: str = " ", **kwargs: Any) -> None:
        if self._enabled:
            tqdm.write(sep.join(map(str, args)))

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
