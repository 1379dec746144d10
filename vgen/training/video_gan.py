"""VideoGAN: the LightningModule that trains any generator against any discriminator.

It knows the contracts of `vgen.clip` and never a concrete network. One `training_step` is one generator update:
`d_steps` updates of the discriminator on fresh real clips, then one of the generator. The unit of time is the
clip: `clips_seen` counts the real clips shown to the discriminator over all processes.
"""

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from vgen import rng
from vgen.clip import Augment, Clip, Judgement, Loss, Player, Regularizer, from_pixels
from vgen.training.clock import count_not
from vgen.training.compiled import check_backend, compile_networks
from vgen.training.ema import GeneratorAverage, ema_decay
from vgen.training.freeze import freeze_weights
from vgen.training.guard import non_finite_error, non_finite_weight
from vgen.training.memory import to_channels_last, video_layout
from vgen.training.objective import Objective, prepare
from vgen.training.pieces import split_rows
from vgen.training.plain import BACKWARD, STEP, is_plain, step_plainly, transfers_plainly
from vgen.training.players import Players
from vgen.training.scalars import ScalarAverages
from vgen.training.scheduled import Schedules
from vgen.training.step_timer import Timer, untimed
from vgen.training.updates import Updates

OptimizerFactory = Callable[..., Optimizer]


class VideoGAN(LightningModule):
    """Adversarial training of a video generator.

    Args:
        generator, discriminator, loss, regularizers, augment: the parts (contracts in `vgen.clip`).
        generator_optimizer, discriminator_optimizer: called with the parameters.
        batch: real clips per discriminator update, over all processes and accumulated parts.
        d_steps: discriminator updates per generator update.
        accumulate: parts in which each process works through its share of a batch (saves memory).
        channels_last: lay out convolution weights and clips channels-last, which is faster nearly everywhere.
        compile: backend of torch.compile for both networks ("inductor"), or None. Updates with a due term that
            differentiates twice (R1, WGAN-GP) run uncompiled: compiled graphs have no second derivative.
        clip_norm: largest gradient norm of each player, or None.
        ema_half_life: half-life of the averaged generator in thousand clips.
        ema_ramp_up: its half-life is at most this fraction of the clips seen so far; None to switch off.
        head_weights: head name -> weight of its adversarial loss.
        top_k: share of the generated clips, those with the highest scores, that train the generator.
        freeze_d: names of parts of the discriminator that are not trained (`vgen.training.freeze`).
        schedules: what follows the clips shown so far (`vgen.training.scheduled`).
        log_every: iterations between two logging events.
        seed: of latents, in-network noise and augmentation.
        config: plain dictionary kept in every checkpoint, so that a checkpoint alone can be sampled.
    """

    def __init__(
        self,
        *,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss,
        augment: Augment,
        generator_optimizer: OptimizerFactory,
        discriminator_optimizer: OptimizerFactory,
        batch: int,
        regularizers: Mapping[str, Regularizer] | None = None,
        d_steps: int = 1,
        accumulate: int = 1,
        channels_last: bool = True,
        compile: str | None = None,
        clip_norm: float | None = None,
        ema_half_life: float = 10.0,
        ema_ramp_up: float | None = 0.05,
        head_weights: dict[str, float] | None = None,
        top_k: float = 1.0,
        freeze_d: Sequence[str] = (),
        schedules: Mapping[str, Any] | None = None,
        log_every: int = 50,
        seed: int = 0,
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        for name, value in {"batch": batch, "d_steps": d_steps, "accumulate": accumulate}.items():
            if value < 1:
                raise ValueError(f"{name}={value}: must be at least 1")
        for name, value in {"clip_norm": clip_norm, "ema_ramp_up": ema_ramp_up}.items():
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value}: must be above 0, or null")
        if not ema_half_life >= 0:
            raise ValueError(f"ema_half_life={ema_half_life}: must be 0 (no average) or more")
        self.automatic_optimization = False
        self.channels_last = channels_last
        prepare(regularizers or {}, "generator", generator)
        prepare(regularizers or {}, "discriminator", discriminator)
        if channels_last:
            to_channels_last(generator)
            to_channels_last(discriminator)
        freeze_weights(discriminator, freeze_d)
        self.generator = generator
        self.discriminator = discriminator
        self.generator_average = GeneratorAverage(generator)
        self.objective = Objective(loss=loss, regularizers=regularizers, head_weights=head_weights)
        self.augment = augment
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.batch, self.d_steps, self.accumulate = batch, d_steps, accumulate
        check_backend(compile)
        self.compile_with = compile
        self.clip_norm = clip_norm
        self.ema_half_life, self.ema_ramp_up = ema_half_life, ema_ramp_up
        self.top_k = top_k
        self.schedules = Schedules(schedules, self)
        self.log_every = log_every
        self.seed = seed
        self.config = config or {}
        self.started_from: dict[str, Any] | None = None  # for provenance (`vgen.cli.start_from`)
        self.iteration = 0
        self.scalars = ScalarAverages()
        self.step_started = 0.0
        self.stop_at_non_finite = True
        self.plain_backward = self.plain_step = self.plain_transfer = False
        self.timed: Timer = untimed
        again = bool(self.objective.regularizers)
        self.players = Players(generator, discriminator, augment, judged_again=again)
        self.updates = Updates(
            self.players, self.objective, self, batch=batch, d_steps=d_steps, compile_with=compile
        )

    def __setattr__(self, name: str, value: Any) -> None:
        # Set up to dozens of times a step (Lightning notes which hook runs); nn.Module would search all its registers.
        if name in ("_current_fx_name", "iteration", "step_started"):
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    @property
    def clips_per_step(self) -> int:
        """Real clips shown to the discriminator in one iteration, over all processes."""
        return self.batch * self.d_steps

    @property
    def clips_seen(self) -> int:
        return self.iteration * self.clips_per_step

    @property
    def kclips(self) -> float:
        return self.clips_seen / 1000

    def configure_optimizers(self) -> list[Optimizer]:
        return self.schedules.read_optimizers(
            [
                self._optimizer(self.generator_optimizer, self.generator),
                self._optimizer(self.discriminator_optimizer, self.discriminator),
            ]
        )

    def _optimizer(self, factory: OptimizerFactory, module: nn.Module) -> Optimizer:
        parameters = [p for p in module.parameters() if p.requires_grad]
        # A fused optimizer unscales fp16 gradients inside its step, which is too late to clip them.
        fused = getattr(factory, "keywords", {}).get("fused")
        if fused and self.clip_norm is not None and self.trainer.precision == "16-mixed":
            return factory(parameters, fused=False)
        return factory(parameters)

    def setup(self, stage: str) -> None:
        self.check_division(self.trainer.world_size)

    def on_fit_start(self) -> None:
        compile_networks((self.generator, self.discriminator), self.compile_with)

    def check_division(self, processes: int) -> None:
        """Raise ValueError unless a batch can be divided over `processes` and accumulated parts."""
        parts = processes * self.accumulate
        if self.batch % parts:
            raise ValueError(
                f"batch={self.batch} cannot be divided over {processes} processes x "
                f"training.accumulate={self.accumulate}; choose a multiple of {parts}"
            )

    # One iteration

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        optimizer_g, optimizer_d = self.optimizers()  # type: ignore[misc]
        count_not(optimizer_d, self)
        self.schedules.follow(self, (optimizer_g, optimizer_d))
        # Noise inside networks (instance noise, dropout) comes from torch's global generators.
        rng.seed_default(rng.derive(self.seed, "network", self.iteration, self.global_rank), self.device)
        video = video_layout(from_pixels(batch["pixels"]).to(self.dtype), self.channels_last)
        real = Clip(video, batch["times"], batch.get("label"))
        rounds = [split_rows(part, self.accumulate) for part in split_rows(real, self.d_steps)]
        on_real: list[Judgement] = []
        for index, parts in enumerate(rounds):
            on_real = self.updates.discriminator(optimizer_d, parts, index)
        self.updates.generator(optimizer_g, rounds[-1], on_real)
        self.iteration += 1
        with self.timed("average"):
            decay = ema_decay(
                clips_seen=self.clips_seen,
                clips_per_step=self.clips_per_step,
                half_life=self.ema_half_life * 1000,
                ramp_up=self.ema_ramp_up,
            )
            self.generator_average.update(self.generator, decay)
        # On the CPU reading a scalar costs nothing; elsewhere it would stall the device at every step.
        look = self.device.type == "cpu" or self.iteration % self.log_every == 0
        if look and self.stop_at_non_finite:
            self.check_finite()
        if self.iteration % self.log_every == 0:
            with self.timed("logging"):
                self.log_everywhere(self.scalars.flush() | self.schedules.values)

    # Lightning asks for the arguments at every step; working them out takes as long as a small layer.
    training_step.__signature__ = inspect.signature(training_step)  # pyright: ignore[reportFunctionMemberAccess]

    # What the updates need (`vgen.training.updates.Loop`)

    def stream(self, player: Player, index: int, part: int) -> AbstractContextManager[rng.BatchStream]:
        # Every part of every process draws the rows of the whole batch and keeps its own: neither the number of
        # processes nor accumulation changes what is drawn.
        generator = rng.generator(self.seed, "batch", player, self.iteration, index)
        parts = self.accumulate
        stream = rng.BatchStream(generator, self.global_rank * parts + part, self.trainer.world_size * parts)
        return rng.use_stream(stream)

    def differentiate(self, loss: Tensor, player: Player, *, last: bool) -> None:
        with self._exchange(player, last):
            loss.backward() if self.plain_backward else self.manual_backward(loss)

    def turn(self, optimizer: Any) -> None:
        step_plainly(optimizer, self) if self.plain_step else optimizer.step()

    def count(self, scalars: Mapping[str, Tensor]) -> None:
        self.scalars.add(scalars, self.iteration)

    def averaged(self) -> nn.Module:
        """The averaged generator, to be run. Every process has to call it: it may be sharded between them."""
        gather = getattr(self.trainer.strategy, "whole_average", None) if self._trainer is not None else None
        return self.generator_average.module if gather is None else gather()

    def _exchange(self, player: Player, last: bool) -> AbstractContextManager[Any]:
        # Gradients of accumulated parts are all-reduced once, with the last part.
        if self.plain_backward:
            return nullcontext()
        strategy = self.trainer.strategy
        exchange = getattr(strategy, "exchange", None)  # vgen's own know the players
        if exchange is not None:
            return exchange(player, last)
        block = getattr(strategy, "block_backward_sync", None)
        return nullcontext() if last or block is None or self.trainer.world_size == 1 else block()

    def _call_batch_hook(self, hook_name: str, *args: Any) -> Any:
        if not self.plain_transfer:
            return super()._call_batch_hook(hook_name, *args)
        move = hook_name == "transfer_batch_to_device" and self.device.type != "cpu"
        return self.transfer_batch_to_device(*args) if move else args[0]

    def on_train_start(self) -> None:
        self.plain_backward, self.plain_step = (is_plain(self.trainer, hooks) for hooks in (BACKWARD, STEP))
        self.plain_transfer = transfers_plainly(self.trainer)
        self.step_started = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        # Lightning calls this after the callbacks' hooks: the next step, its loading included, begins here.
        self.step_started = time.perf_counter()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        # Lightning calls this after fp16 gradients have been unscaled, which is where clipping is right (#9694).
        if self.clip_norm is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.clip_norm)

    # Scalars

    def check_finite(self, weights: bool = False) -> None:
        """Raise NonFiniteLoss, naming term, step and last good checkpoint, if a loss has become NaN or inf.

        With `weights`, parameters and buffers are looked at too: a step may overflow after finite losses.
        """
        found = self.first_non_finite(weights)
        if found is not None:
            raise non_finite_error(*found, self.clips_per_step, self._trainer)

    def first_non_finite(self, weights: bool = False) -> tuple[str, int] | None:
        """Name and iteration of the first NaN or inf since the last logging event, or None. Synchronises."""
        found = self.scalars.first_non_finite()
        if found is not None or not weights:
            return found
        broken = non_finite_weight(self)
        return None if broken is None else (broken, self.iteration)

    def log_everywhere(self, values: Mapping[str, float]) -> None:
        """Send scalars to every logger, with thousand clips as the common axis."""
        row = {"kclips": self.kclips, "iteration": float(self.iteration), **values}
        for logger in self.loggers:
            logger.log_metrics(row, step=self.clips_seen)
        if self._trainer is not None:
            self.trainer.callback_metrics.update({k: torch.tensor(v) for k, v in values.items()})

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.check_finite(weights=True)
        checkpoint["vgen"] = {
            "iteration": self.iteration,
            "config": self.config,
            "scalars": self.scalars.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.iteration = int(checkpoint["vgen"]["iteration"])
        self.scalars.load_state_dict(checkpoint["vgen"]["scalars"], self.device)
