"""Real clips for the trainer."""

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from vgen.clip import Sampler
from vgen.data.clips import Clips
from vgen.data.evaluation_clips import draw_labels
from vgen.data.infinite import InfiniteBatches
from vgen.data.loader import BatchLoader, WholeBatches
from vgen.data.source import VideoSource

AHEAD = 2  # batches


class ClipDataModule(LightningDataModule):
    """Endless batches of real clips, in an order that neither processes nor workers nor a restart changes.

    A batch is a dict of "pixels" (B, T, H, W, C) uint8, "times" (B, T) float32 in frames since the
    clip's first and, if the videos have classes, "label" (B,) int64; B is this process's share. A resumed run
    goes on at the clip where it stopped: the position is `clips_seen` of the LightningModule (the number of
    real clips consumed by all processes), 0 if it has none. Set `use_distributed_sampler=False` on the trainer.

    Args:
        source: the videos.
        sampler: chooses the frames of a clip.
        batch: real clips per discriminator update, over all processes.
        rounds: discriminator updates per training step.
        workers: loader processes. 0, the training process itself, is fastest for videos in a memory map; use some
            where reading takes the processor's time.
        prefetch: batches made ahead, by each worker, or by a thread without workers. 0: none, with workers 1. None: 2,
            but no thread where training itself keeps the processor busy and the videos lie on this machine: it would
            only take turns with it.
        seed: of the order of the videos, the frames and the flips.
        flip: mirror each clip left to right with probability 1/2.

    Raises:
        ValueError: `workers` below 0 or `batch` below 1; in `setup`, no video or one too short.
    """

    def __init__(
        self,
        *,
        source: VideoSource,
        sampler: Sampler,
        batch: int,
        rounds: int = 1,
        workers: int = 0,
        prefetch: int | None = None,
        seed: int = 0,
        flip: bool = False,
    ):
        super().__init__()
        for name, value, least in (
            ("batch", batch, 1), ("rounds", rounds, 1), ("workers", workers, 0), ("prefetch", prefetch or 0, 0),
        ):  # fmt: skip
            if value < least:
                raise ValueError(f"{name} is {value}: it must be at least {least}")
        self.source = source
        self.sampler = sampler
        self.batch = batch
        self.rounds = rounds
        self.workers = workers
        self.prefetch = prefetch
        self.seed = seed
        self.flip = flip
        self._prepared = False

    def prepare_data(self) -> None:
        if not self._prepared:
            self.source.prepare()
            self._prepared = True

    def setup(self, stage: str | None = None) -> None:
        self.source.setup()
        lengths = [self.source.length(i) for i in range(len(self.source))]
        if not lengths:
            raise ValueError(f"{self.source.name} holds no videos")
        if min(lengths) < self.sampler.span:
            raise ValueError(
                f"{self.source.name} has a video of {min(lengths)} frames, but the sampler needs "
                f"{self.sampler.span}: choose fewer frames (clip.frames), a smaller stride or longer videos"
            )

    def train_dataloader(self) -> DataLoader | BatchLoader:
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        device = trainer.strategy.root_device if trainer else torch.device("cpu")
        draws = InfiniteBatches(
            videos=len(self.source),
            batch=self.batch,
            rounds=self.rounds,
            seed=self.seed,
            start=getattr(trainer.lightning_module, "clips_seen", 0) if trainer else 0,
            rank=rank,
            world=world,
            shards=getattr(self.source, "shards", None),
            mixed=getattr(self.source, "mixed_shards", None),
        )
        clips = Clips(source=self.source, sampler=self.sampler, seed=self.seed, flip=self.flip)
        if not self.workers:
            waits = device.type != "cpu" or getattr(self.source, "remote", False)
            ahead = AHEAD * waits if self.prefetch is None else self.prefetch
            return BatchLoader(clips, draws, device=device, ahead=ahead)
        return DataLoader(
            WholeBatches(clips),
            sampler=draws,
            batch_size=None,
            num_workers=self.workers,
            persistent_workers=True,
            prefetch_factor=AHEAD if self.prefetch is None else max(1, self.prefetch),
            pin_memory=device.type == "cuda",
        )

    def sample_labels(self, count: int, rng: torch.Generator) -> Tensor | None:
        """`count` labels (count,) int64 of videos drawn at random; None if the videos have no classes."""
        return draw_labels(self.source, count, rng)

    def describe(self) -> dict:
        """What a run's provenance says of its data."""
        return {
            "name": self.source.name,
            "fingerprint": self.source.fingerprint,
            "videos": len(self.source),
            "frames": sum(self.source.length(i) for i in range(len(self.source))),
            "classes": list(self.source.classes),
            "skipped": len(self.source.skipped),
        }
