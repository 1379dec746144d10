"""Metrics of the averaged generator while it trains."""

from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from vgen import rng
from vgen.clip import Extractor, as_generator, regular_times
from vgen.data.evaluation_clips import real_clips
from vgen.protocol.contract import SetMetric
from vgen.protocol.features import Features, extract
from vgen.protocol.score import compare
from vgen.protocol.standard import Standard
from vgen.training.sampling import generate_clips
from vgen.training.video_gan import VideoGAN


class OnlineMetrics(Callback):
    """Evaluates the averaged generator under `protocol` every `every` iterations and at the end.

    Values go to all loggers and to Lightning's callback metrics, where checkpoints monitor them. Each process
    passes its share of the clips through the extractor; the real features are made once per run.

    Args:
        every: iterations between two evaluations.
        extractor, protocol, metrics: what `vgen evaluate` takes.
        batch: clips at a time.
    """

    def __init__(
        self,
        *,
        every: int,
        extractor: Extractor,
        protocol: Standard,
        metrics: dict[str, SetMetric],
        batch: int = 16,
    ) -> None:
        self.every, self.batch = every, batch
        self.extractor, self.protocol, self.metrics = extractor, protocol, metrics
        self._real: Features | None = None
        protocol.check(extractor, metrics.values())

    @property
    def names(self) -> list[str]:
        """What it logs."""
        return [f"{metric.name}/{self.extractor.name}" for metric in self.metrics.values()]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.iteration % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.evaluate(trainer, pl_module)

    def evaluate(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        """Measure now and log. Every process has to call it."""
        if self._real is None:
            self._real = self._features(trainer, pl_module, self._real_batches(trainer), "real")
        fake = self._features(trainer, pl_module, self._fake_batches(trainer, pl_module), "fake")
        result = compare(
            self._real, fake, extractor=self.extractor, metrics=self.metrics, protocol=self.protocol
        )
        pl_module.log_everywhere({name: entry["value"] for name, entry in result["metrics"].items()})

    def _real_batches(self, trainer: Trainer) -> Iterator[Tensor]:
        protocol = self.protocol
        batches = real_clips(
            trainer.datamodule.source,  # type: ignore[attr-defined]
            frames=protocol.frames,
            stride=protocol.stride,
            count=protocol.count,
            seed=protocol.seed,
            batch=self.batch,
        )
        return islice(batches, trainer.global_rank, None, trainer.world_size)

    def _fake_batches(self, trainer: Trainer, pl_module: VideoGAN) -> Iterator[Tensor]:
        generator, clips = pl_module.generator_average.module, self.protocol.fake_count
        labels = None
        if as_generator(generator).classes:
            stream = rng.generator(self.protocol.seed, "labels")
            labels = trainer.datamodule.sample_labels(clips, stream)  # type: ignore[attr-defined]
        times = regular_times(1, self.protocol.frames, self.protocol.stride)[0]
        return generate_clips(
            generator,
            count=clips,
            times=times,
            labels=labels,
            seed=self.protocol.seed,
            batch=self.batch,
            rank=trainer.global_rank,
            world=trainer.world_size,
        )

    def _features(
        self, trainer: Trainer, pl_module: VideoGAN, batches: Iterable[Tensor], side: str
    ) -> Features:
        """Features of all processes' batches in order; `batches` are every world-th, this process's own."""
        world, rank = trainer.world_size, trainer.global_rank
        wanted = self.protocol.count if side == "real" else self.protocol.fake_count
        if world == 1:
            return extract(batches, self.extractor, count=wanted, device=pl_module.device, side=side)
        own = {
            number: extract([batch], self.extractor, count=len(batch), device=pl_module.device, side=side)
            for number, batch in zip(count(rank, world), batches, strict=False)
        }
        gathered: list[dict[int, Features]] = [{} for _ in range(world)]
        torch.distributed.all_gather_object(gathered, own)
        parts = [part for _, part in sorted((n, p) for share in gathered for n, p in share.items())]
        hashes = tuple(hash_ for part in parts for hash_ in part.hashes)
        return Features(torch.cat([part.values for part in parts]), parts[0].shape, hashes)
