"""What a finished run leaves: the last checkpoint, and the averaged generator as safetensors with its config."""

import json
from pathlib import Path
from typing import Literal

from pytorch_lightning import Callback, Trainer
from safetensors.torch import save_file

from vgen.callback import wandb_bridge
from vgen.files import replacing
from vgen.training.video_gan import VideoGAN

Artifacts = Literal["reference", "upload"]


class Export(Callback):
    """At the end of training writes `last.ckpt` and `generator_ema.safetensors` into `folder`.

    The safetensors file carries the resolved config as JSON in its metadata, so it can be sampled by itself. To W&B
    go the checkpoints, as versions "last" and "best" of one artifact, and what the data was, as another.

    Args:
        folder: where the files go.
        artifacts: whether W&B gets a "reference" to the checkpoints on this machine (path, size and checksum), or
            the files themselves ("upload"); None for no artifacts.
    """

    def __init__(self, *, folder: str, artifacts: Artifacts | None = "reference") -> None:
        self.folder = Path(folder)
        self.artifacts: Artifacts | None = artifacts

    def on_train_start(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        if self.artifacts and trainer.is_global_zero:
            data = trainer.datamodule  # type: ignore[attr-defined]
            place = {"path": str(data.source.path)} if hasattr(data.source, "path") else {}
            wandb_bridge.log_dataset(trainer.loggers, data.describe() | place)

    def on_train_end(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        if trainer.interrupted:
            return
        trainer.save_checkpoint(self.folder / "last.ckpt")
        generator = pl_module.averaged()
        if not trainer.is_global_zero:
            return
        weights = {name: value.detach().cpu().contiguous() for name, value in generator.state_dict().items()}
        metadata = {
            "config": json.dumps(pl_module.config),
            "kclips": str(pl_module.kclips),
            "format": "vgen-generator-1",
        }
        with replacing(self.folder / "generator_ema.safetensors") as partial:
            save_file(weights, partial, metadata=metadata)
        if self.artifacts:
            self._log_checkpoints(trainer, pl_module, self.artifacts)

    def _log_checkpoints(self, trainer: Trainer, pl_module: VideoGAN, how: Artifacts) -> None:
        for callback in trainer.checkpoint_callbacks:
            best = getattr(callback, "best_model_score", None)
            monitor = getattr(callback, "monitor", None)
            file = self.folder / "best.ckpt"
            if monitor and best is not None and file.is_file():
                wandb_bridge.log_checkpoint(trainer.loggers, file, "best", {monitor: float(best)}, how)
        facts = {"kclips": pl_module.kclips}
        wandb_bridge.log_checkpoint(trainer.loggers, self.folder / "last.ckpt", "last", facts, how)
