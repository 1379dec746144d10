"""What a finished run leaves: the last checkpoint, and the averaged generator as safetensors with its config."""

import json
from pathlib import Path

from pytorch_lightning import Callback, Trainer
from safetensors.torch import save_file

from vgen.files import replacing
from vgen.training.video_gan import VideoGAN


class Export(Callback):
    """At the end of training writes `last.ckpt` and `generator_ema.safetensors` into `folder`.

    The safetensors file carries the resolved config as JSON in its metadata, so it can be sampled by itself.
    """

    def __init__(self, *, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_end(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        if trainer.interrupted:
            return
        trainer.save_checkpoint(self.folder / "last.ckpt")
        if trainer.is_global_zero:
            generator = pl_module.generator_average.module
            weights = {
                name: value.detach().cpu().contiguous() for name, value in generator.state_dict().items()
            }
            metadata = {
                "config": json.dumps(pl_module.config),
                "kclips": str(pl_module.kclips),
                "format": "vgen-generator-1",
            }
            with replacing(self.folder / "generator_ema.safetensors") as partial:
                save_file(weights, partial, metadata=metadata)
