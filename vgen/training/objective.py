"""What each player minimises: the adversarial loss summed over heads, plus the regularisers that are due."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vgen.clip import Judgement, Loss, Player, Regularizer, Step

Terms = dict[str, Tensor]


class Objective(nn.Module):
    """Sums the adversarial loss over heads and adds regularisers.

    Args:
        loss: the adversarial loss.
        regularizers: name -> term; each has its player, weight and interval.
        head_weights: head name -> weight of its adversarial loss, on top of the discriminator's own
            (`Judgement.weights`); 1 where not named.
    """

    def __init__(
        self,
        *,
        loss: Loss,
        regularizers: Mapping[str, Regularizer] | None = None,
        head_weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.loss = loss
        self.regularizers = dict(regularizers or {})
        self.head_weights = dict(head_weights or {})
        # Terms with state of their own (moving averages) keep it in the checkpoint.
        self.stateful = nn.ModuleDict(
            {k: r for k, r in self.regularizers.items() if isinstance(r, nn.Module)}
        )
        for name, term in self.regularizers.items():
            if term.interval < 1:
                raise ValueError(f"regularizer.{name}.interval={term.interval}: must be at least 1")

    def due(self, player: Player, iteration: int) -> dict[str, Regularizer]:
        """The regularisers of `player` that count at this iteration."""
        return {
            name: term
            for name, term in self.regularizers.items()
            if term.player == player and term.weight != 0 and iteration % term.interval == 0
        }

    def adversarial(self, player: Player, on_real: Judgement, on_fake: Judgement) -> Terms:
        """One weighted term per head.

        Raises ValueError if `head_weights` names a head that the discriminator does not have.
        """
        unknown = self.head_weights.keys() - on_fake.logits.keys()
        if unknown:
            heads = ", ".join(sorted(on_fake.logits))
            raise ValueError(f"training.head_weights.{min(unknown)}: the discriminator has heads {heads}")
        compute = self.loss.discriminator if player == "discriminator" else self.loss.generator
        return {
            head: self.head_weights.get(head, 1.0)
            * on_fake.weights.get(head, 1.0)
            * compute(_full(on_real.logits[head]), _full(on_fake.logits[head]))
            for head in on_fake.logits
        }

    def regularization(self, due: Mapping[str, Regularizer], step: Step) -> Terms:
        """The due terms, each times its weight and its interval (a lazy term stands for `interval` steps)."""
        terms = {name: term(step) for name, term in due.items()}
        return {
            name: due[name].weight * due[name].interval * value
            for name, value in terms.items()
            if value is not None
        }

    def after_update(self, due: Mapping[str, Regularizer], network: nn.Module) -> None:
        """Let the due rules about the weights of a player act, after its optimizer step."""
        for term in due.values():
            act = getattr(term, "after_update", None)
            if act is not None:
                act(network)


def _full(logits: Tensor) -> Tensor:
    """At least float32: a loss of half-precision logits loses digits where it matters."""
    return logits if logits.dtype == torch.float64 else logits.float()


def prepare(regularizers: Mapping[str, Regularizer], player: Player, network: nn.Module) -> None:
    """Let the regularisers of `player` reparametrise its network (see `vgen.clip.Regularizer`)."""
    for term in regularizers.values():
        act = getattr(term, "prepare", None)
        if act is not None and term.player == player and term.weight != 0:
            act(network)
