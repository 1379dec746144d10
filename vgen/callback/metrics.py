"""Metrics of the averaged generator while it trains."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch import nn

from vgen import rng
from vgen.callback import wandb_bridge
from vgen.clip import Extractor, as_generator, given_frames, is_given, regular_times, small_size
from vgen.protocol.contract import ClipSet, SetMetric
from vgen.protocol.pairing import check_sets_suffice, extractors_of, metric_names, pairs_of
from vgen.protocol.prepared import check_prepared
from vgen.protocol.score import Side, Unmeasured, compare, look
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore
from vgen.training.generated_clips import GeneratedClips
from vgen.training.given_frames import GivenFrames
from vgen.training.video_gan import VideoGAN

log = logging.getLogger("vgen")


class OnlineMetrics(Callback):
    """Evaluates the averaged generator under `protocol` every `every` iterations and at the end.

    Values go to all loggers and to Lightning's callback metrics, where checkpoints monitor them; one that cannot be
    measured on the clips of the moment is NaN there, with a warning, and the run goes on. Each process
    passes its share of the clips through the extractors; the real features are made once, and found again by
    the next run on the same data. A generator that is given first frames continues those real clips.

    Args:
        every: iterations between two evaluations.
        extractors, metrics, protocol: what `vgen evaluate` takes, as named terms.
        features_cache: folder of the real features, None for the default one, False for none.
        batch: clips that pass an extractor at once.
        progress: show a bar (on the first process).

    Raises:
        ValueError: extractors, metrics and a protocol that do not go together.
    """

    def __init__(
        self,
        *,
        every: int,
        extractors: Mapping[str, Extractor],
        metrics: Mapping[str, SetMetric],
        protocol: Standard,
        features_cache: str | bool | None = None,
        batch: int = 16,
        progress: bool = True,
    ) -> None:
        self.every, self.batch, self.progress = every, batch, progress
        self.metrics, self.protocol = metrics, protocol
        self._pairs = pairs_of(extractors, metrics, protocol)
        check_sets_suffice(self._pairs)
        self.extractors = extractors_of(self._pairs)
        self.store = FeatureStore.chosen(features_cache)
        self._real: Side | None = None

    @property
    def names(self) -> list[str]:
        """What it logs."""
        return metric_names(self._pairs)

    @property
    def directions(self) -> dict[str, bool | None]:
        """For each of `names`, whether higher is better."""
        return {
            f"{name}/{extractor.name}": metric.higher_is_better[name]
            for metric, extractor in self._pairs
            for name in metric.names
        }

    def on_fit_start(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        """Say at once, not at the first evaluation, what these videos cannot give."""
        check_prepared(trainer.datamodule.source, self.protocol)  # type: ignore[attr-defined]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.iteration % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.evaluate(trainer, pl_module)

    def evaluate(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        """Measure now and log. Every process has to call it."""
        if self._real is None:
            source = trainer.datamodule.source  # type: ignore[attr-defined]
            self.protocol = self.protocol.at_rate(getattr(source, "wanted_fps", None))
            self._real = self._look(trainer, pl_module, self.protocol.real_clips(source), "real", self.store)
        generator = pl_module.averaged()
        self.protocol = self.protocol.continuing(given_frames(generator)).enlarging(small_size(generator))
        generated = self._generated(trainer, generator, self._real.clips)
        # the weights change with every evaluation: keeping these features would only fill the disk
        fake = self._look(trainer, pl_module, generated, "fake", None)
        pl_module.log_everywhere(self._values(trainer, self._real, fake))

    def _values(self, trainer: Trainer, real: Side, fake: Side) -> dict[str, float]:
        """The values, computed by the first process, on all of them; NaN for what cannot be measured."""
        outcome: list[Any] = [None]
        failure = None
        if trainer.is_global_zero:
            try:
                outcome = [self._compared(trainer, real, fake)]
            except Exception as error:
                failure = error
                outcome = [str(error)]
        if trainer.world_size > 1:
            torch.distributed.broadcast_object_list(outcome, src=0)
        if failure:
            raise failure
        if isinstance(outcome[0], str):
            raise RuntimeError(outcome[0])
        return outcome[0]

    def _compared(self, trainer: Trainer, real: Side, fake: Side) -> dict[str, float]:
        try:
            result = compare(
                real, fake, extractors=self.extractors, metrics=self.metrics, protocol=self.protocol
            )
        except Unmeasured as error:
            values, failed = {}, error.failed
        else:
            values = {name: entry["value"] for name, entry in result["metrics"].items()}
            failed = result["failed"]
            stamps = {f"protocol/{name}": entry["stamp"] for name, entry in result["metrics"].items()}
            wandb_bridge.log_summary(trainer.loggers, {"protocol/id": result["protocol"]["id"], **stamps})
        # a number that these clips do not give is no reason to lose the run
        for why in dict.fromkeys(failed.values()):
            log.warning("not measured, logged as NaN: %s", why)
        return {name: values.get(name, math.nan) for name in self.names}

    def _generated(self, trainer: Trainer, generator: nn.Module, real: ClipSet) -> GeneratedClips:
        protocol = self.protocol
        count = protocol.fake_count or len(real)
        given = GivenFrames(real, generator) if is_given(generator) else None
        labels = None
        if as_generator(generator).classes and given is not None:
            labels = given.labels(count)
        elif as_generator(generator).classes:
            stream = rng.generator(protocol.seed, "labels")
            labels = trainer.datamodule.sample_labels(count, stream)  # type: ignore[attr-defined]
        times = regular_times(1, protocol.frames, protocol.stride)[0]
        return GeneratedClips(
            generator,
            count=count,
            times=times,
            labels=labels,
            seed=protocol.seed,
            given=given,
            pixels=protocol.pixels,
        )

    def _look(
        self, trainer: Trainer, pl_module: VideoGAN, clips: ClipSet, side: str, store: FeatureStore | None
    ) -> Side:
        return look(
            clips,
            self.extractors,
            protocol=self.protocol,
            side=side,
            store=store,
            batch=self.batch,
            device=pl_module.device,
            rank=trainer.global_rank,
            world=trainer.world_size,
            progress=self.progress and trainer.is_global_zero,
        )
