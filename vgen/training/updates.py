"""One update of each player: which passes it takes, and what they add up to."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from operator import add
from typing import Any, Protocol

import torch
from torch import Tensor

from vgen import rng
from vgen.clip import Clip, Judgement, Player, Regularizer
from vgen.training.compiled import eager_where_twice
from vgen.training.objective import Objective
from vgen.training.pieces import detached, frozen, mean_logits
from vgen.training.players import Players
from vgen.training.step_timer import Timer
from vgen.training.top_k import best_rows


class Loop(Protocol):
    """What an update needs of the training around it.

    Attributes:
        iteration: of the generator, from 0.
        timed: measures parts of an update (`vgen.training.step_timer`).
        top_k: share of the generated clips that train the generator.
    """

    iteration: int
    timed: Timer
    top_k: float

    def stream(self, player: Player, index: int, part: int) -> AbstractContextManager[rng.BatchStream]:
        """Where the draws of one part of one update come from."""
        ...

    def differentiate(self, loss: Tensor, player: Player, *, last: bool) -> None:
        """The backward pass of one part; with the `last` one, processes exchange the gradients of `player`."""
        ...

    def turn(self, optimizer: Any) -> None:
        """A step of an optimizer."""
        ...

    def count(self, scalars: Mapping[str, Tensor]) -> None:
        """Note what is to be logged."""
        ...


class Updates:
    """The updates of both players, each over the parts of a batch one after the other.

    Args:
        players, objective: what plays, and for what.
        loop: the training around it.
        batch, d_steps: as of `vgen.training.video_gan.VideoGAN`.
        compile_with: its `compile`.
    """

    def __init__(
        self,
        players: Players,
        objective: Objective,
        loop: Loop,
        *,
        batch: int,
        d_steps: int,
        compile_with: str | None,
    ) -> None:
        self.players, self.objective, self.loop = players, objective, loop
        self.batch, self.d_steps, self.compile_with = batch, d_steps, compile_with

    def discriminator(self, optimizer: Any, parts: list[Clip], index: int) -> list[Judgement]:
        """Update number `index` of the discriminator in this iteration, on real clips `parts`; what it said of them."""
        players, loop = self.players, self.loop
        due = self.objective.due("discriminator", loop.iteration * self.d_steps + index)
        differentiated = frozenset().union(*(term.differentiates for term in due.values()))
        judged: list[Judgement] = []
        optimizer.zero_grad()
        for number, real in enumerate(parts):
            with (
                eager_where_twice(due, self.compile_with),
                loop.stream("discriminator", index, number) as stream,
            ):
                with torch.no_grad(), loop.timed("d_fakes"):
                    latent, real = players.latent(real, stream)
                    made = players.generate(latent, real.times, real.label)
                    fakes = players.fakes(made, real)
                real.video.requires_grad_("real" in differentiated)
                fakes.video.requires_grad_("fake" in differentiated)
                # The passes that a penalty differentiates run in float32, and are shared with the loss.
                with loop.timed("d_forward"):
                    with _island(real, "real" in differentiated):
                        on_real = players.judge(real)
                    with _island(real, "fake" in differentiated):
                        on_fake = players.judge(fakes)
                    heads = self.objective.adversarial("discriminator", on_real, on_fake)
                with loop.timed("d_regularizers"):
                    extra = self._regularization(due, real, fakes, on_real, on_fake, latent, made)
                seen = mean_logits(on_real, on_fake)
                last = number == len(parts) - 1
                self._backward("discriminator", heads, extra, seen, parts=len(parts), last=last)
                real.video.requires_grad_(False)
            judged.append(detached(on_real))
        with loop.timed("d_optimizer"):
            loop.turn(optimizer)
            self.objective.after_update(due, players.discriminator)
        adapt = getattr(players.augment, "adapt", None)
        if adapt is not None:
            real_logits = [logits for judgement in judged for logits in judgement.logits.values()]
            loop.count(adapt(real_logits, self.batch))
        return judged

    def generator(self, optimizer: Any, parts: list[Clip], judged: list[Judgement]) -> None:
        """The update of the generator beside real clips `parts`, of which the discriminator said `judged`."""
        players, loop = self.players, self.loop
        due = self.objective.due("generator", loop.iteration)
        optimizer.zero_grad()
        with frozen(players.discriminator), eager_where_twice(due, self.compile_with):
            for number, (real, on_real) in enumerate(zip(parts, judged, strict=True)):
                with loop.stream("generator", 0, number) as stream:
                    with loop.timed("g_forward"):
                        latent, real = players.latent(real, stream)
                        made = players.generate(latent, real.times, real.label)
                        fakes = players.fakes(made, real)
                        on_fake = players.judge(fakes)
                        if self.objective.loss.relativistic:
                            with torch.no_grad():
                                on_real = players.judge(real)
                        best = best_rows(on_real, on_fake, loop.top_k)
                        heads = self.objective.adversarial("generator", *best)
                    with loop.timed("g_regularizers"):
                        extra = self._regularization(due, real, fakes, on_real, on_fake, latent, made)
                    last = number == len(parts) - 1
                    self._backward("generator", heads, extra, {}, parts=len(parts), last=last)
            with loop.timed("g_optimizer"):
                loop.turn(optimizer)
                self.objective.after_update(due, players.generator)

    def _backward(
        self,
        player: Player,
        heads: Mapping[str, Tensor],
        extra: Mapping[str, Tensor],
        seen: Mapping[str, Tensor],
        *,
        parts: int,
        last: bool,
    ) -> None:
        """Gradients of all terms; they and the scalars `seen` are counted."""
        short = player[0]
        total = reduce(add, (*heads.values(), *extra.values()))
        scalars = {f"loss/{short}": total}
        scalars |= {f"loss/{short}_{head}": value for head, value in heads.items()}
        scalars |= {f"regularizer/{name}": value for name, value in extra.items()}
        self.loop.count({**scalars, **seen})
        with self.loop.timed(f"{short}_backward"):
            self.loop.differentiate(total if parts == 1 else total / parts, player, last=last)

    def _regularization(self, due: Mapping[str, Regularizer], *so_far: Any) -> dict[str, Tensor]:
        return self.objective.regularization(due, self.players.step_so_far(*so_far)) if due else {}


def _island(clip: Clip, on: bool) -> AbstractContextManager[Any]:
    return torch.autocast(clip.video.device.type, enabled=False) if on else nullcontext()
