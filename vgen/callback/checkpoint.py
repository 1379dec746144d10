"""Which checkpoints stay beside last.ckpt: the best by a metric, and one every so many clips."""

import math
import re
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint

from vgen.training.video_gan import VideoGAN


class BestModelCheckpoint(ModelCheckpoint):
    """best.ckpt: the checkpoint with the best value of `monitor` so far.

    Lightning's own forgets the best when the run folder was moved or is evaluated at other intervals than before;
    a continued run would then replace best.ckpt by whatever it measures first.

    Args:
        folder: where best.ckpt goes.
        monitor: name of a metric that the run measures; which way is better is set where the metric is known.
        every: iterations between two looks; the iterations in which the metric is measured.
    """

    def __init__(self, *, folder: str, monitor: str, every: int) -> None:
        super().__init__(
            dirpath=folder,
            filename="best",
            monitor=monitor,
            every_n_train_steps=every,
            enable_version_counter=False,
        )

    @property
    def state_key(self) -> str:
        return f"best by {self.monitor}"

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        here = str(self.dirpath)

        def moved(file: str) -> str:
            return str(Path(here) / Path(file).name) if file else file

        scores = {moved(file): score for file, score in state_dict["best_k_models"].items()}
        names = ("best_model_path", "kth_best_model_path", "last_model_path")
        found = {name: moved(state_dict[name]) for name in names}
        super().load_state_dict({**state_dict, **found, "dirpath": here, "best_k_models": scores})
        self.current_score = state_dict["current_score"]  # Lightning's own forgets it


class KeepEvery(Checkpoint):
    """Keeps a checkpoint every so many clips as `folder`/<kclips>.ckpt, e.g. 000050.000.ckpt.

    Args:
        folder: where they go.
        every: thousand clips between two of them; None to keep none.
        last: how many of them stay; older ones are removed. None: all.

    Raises:
        ValueError: an `every` that is not above 0, or a `last` below 1.
    """

    def __init__(self, *, folder: str, every: float | None = None, last: int | None = None) -> None:
        if every is not None and every <= 0:
            raise ValueError(f"every={every}: must be above 0, or null for none")
        if last is not None and last < 1:
            raise ValueError(f"last={last}: must be at least 1, or null for all")
        self.folder, self.every, self.last = Path(folder), every, last

    def due(self, pl_module: VideoGAN) -> bool:
        """Whether one is kept after this iteration."""
        if self.every is None:
            return False
        steps = max(1, math.ceil(self.every * 1000 / pl_module.clips_per_step))
        return pl_module.iteration % steps == 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self.due(pl_module):
            return
        name = f"{pl_module.kclips:010.3f}.ckpt"
        trainer.save_checkpoint(self.folder / name)
        if self.last is not None and trainer.is_global_zero:
            # What a killed run wrote beyond this point will be written again: it does not count.
            kept = sorted(f for f in self.folder.iterdir() if _KEPT.fullmatch(f.name) and f.name <= name)
            for old in kept[: -self.last]:
                old.unlink(missing_ok=True)


_KEPT = re.compile(r"\d{6}\.\d{3}\.ckpt")
