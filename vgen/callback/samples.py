"""What the averaged generator makes of the same latents, over the run."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer

from vgen.callback import wandb_bridge
from vgen.clip import as_generator, regular_times
from vgen.media import tile, write_mp4
from vgen.training.given_frames import training_beginnings
from vgen.training.sampling import generate_clips
from vgen.training.video_gan import VideoGAN

REPEATED = 5


class SampleGrid(Callback):
    """Writes a grid of clips from fixed latents to `samples/<kclips>.mp4` and to W&B.

    A generator that is given first frames continues fixed clips of the data, and shows their classes; one that enlarges
    clips is given small versions of them.

    Args:
        folder: where the files go.
        every: iterations between two grids; one is also written at the start.
        count: clips in the grid; classes take turns.
        frames: frames per clip.
        stride: frames of the data set between two frames of the clip.
        fps: of the file.
        seed: of the latents.
    """

    def __init__(
        self, *, folder: str, every: int, count: int, frames: int, stride: int, fps: float = 8, seed: int = 0
    ) -> None:
        self.folder, self.every, self.count = Path(folder), every, count
        self.frames, self.stride, self.fps, self.seed = frames, stride, fps, seed

    def on_train_start(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        if pl_module.iteration == 0:
            self._write(trainer, pl_module)
        elif trainer.is_global_zero and wandb_bridge.is_offline(trainer.loggers):
            # A kill of the whole job may have lost the last ones: see wandb_bridge.repeat_rows.
            files = {file: float(file.stem) for file in sorted(self.folder.glob("[0-9]*.mp4"))}
            for file in [file for file, kclips in files.items() if kclips <= pl_module.kclips][-REPEATED:]:
                self._send(trainer, file, files[file])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.iteration % self.every == 0 or trainer.global_step == trainer.max_steps:
            self._write(trainer, pl_module)

    def _write(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        generator = pl_module.averaged()
        if not trainer.is_global_zero:
            return
        given = training_beginnings(
            trainer,
            generator,
            frames=self.frames,
            stride=self.stride,
            count=self.count,
            seed=self.seed,
        )
        classes = as_generator(generator).classes
        labels = torch.arange(self.count) % classes if classes else None
        if classes and given is not None:
            labels = given.labels(self.count)
        clips = generate_clips(
            generator,
            count=self.count,
            times=regular_times(1, self.frames, self.stride)[0],
            labels=labels,
            seed=self.seed,
            given=given,
        )
        file = self.folder / f"{pl_module.kclips:010.3f}.mp4"
        write_mp4(file, tile(torch.cat(list(clips)).numpy()), fps=self.fps)
        self._send(trainer, file, pl_module.kclips)

    def _send(self, trainer: Trainer, file: Path, kclips: float) -> None:
        caption = f"{kclips:g} kclips, seed {self.seed}"
        wandb_bridge.log_video(trainer.loggers, "samples", file, kclips, caption)
