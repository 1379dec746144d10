"""LeCam: real logits stay near what generated clips used to get, and the other way round."""

from typing import Any

import torch
from torch import Tensor, nn

from vgen.clip import Player, Step
from vgen.layer.processes import global_mean


class LeCam(nn.Module):
    """E[ (D(real) - a_fake)^2 ] + E[ (a_real - D(fake))^2 ], summed over heads (Tseng et al. 2021, arXiv 2104.03310).

    a_real and a_fake are moving averages of the discriminator's own logits over updates and processes: buffers, one
    pair per head, in every checkpoint. They average what was seen so far from the first update on, not from 0.
    E is the mean over all logits, of clips and of patches.

    Args:
        decay: of the averages, per update at which the term is due.
        one_sided: only what is too far apart counts, E[ max(0, D(real) - a_fake)^2 ] and so on, as in the code
            (google/lecam-gan: biggan_cifar/losses.py); false is the paper's formula.
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset()
    updates: Tensor

    def __init__(
        self, *, weight: float = 0.01, decay: float = 0.99, one_sided: bool = True, interval: int = 1
    ):
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay} of lecam: must lie in [0, 1)")
        self.weight = weight
        self.decay = decay
        self.one_sided = one_sided
        self.interval = interval
        self.register_buffer("updates", torch.zeros((), dtype=torch.float64))

    def forward(self, step: Step) -> Tensor:
        heads = {
            h: (_wide(step.on_real.logits[h]), _wide(step.on_fake.logits[h])) for h in step.on_fake.logits
        }
        if self.training:
            self._follow(heads)
        terms = []
        for head, (real, fake) in heads.items():
            real_then, fake_then = self._average(head, "real", real), self._average(head, "fake", fake)
            terms.append(self._far(real - fake_then) + self._far(real_then - fake))
        return torch.stack(terms).sum()

    def _far(self, distance: Tensor) -> Tensor:
        return (distance.relu() if self.one_sided else distance).square().mean()

    @torch.no_grad()
    def _follow(self, heads: dict[str, tuple[Tensor, Tensor]]) -> None:
        self.updates.add_(1)
        # The weight of the newest value in an average whose weights sum to 1 from the first update on.
        newest = (1 - self.decay) / (1 - self.decay**self.updates)
        for head, logits in heads.items():
            for kind, value in zip(("real", "fake"), logits, strict=True):
                average = self._average(head, kind, value)
                average.lerp_(global_mean(value), newest.to(average.dtype))

    def _average(self, head: str, kind: str, like: Tensor) -> Tensor:
        """The buffer of a head, made when the head is first seen: a discriminator's heads are not known before."""
        name = f"{kind}/{head.replace('.', '/')}"
        if name not in self._buffers:
            self.register_buffer(name, like.new_zeros(()).detach())
        average = self._buffers[name]
        assert average is not None
        return average

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for key, value in state_dict.items():
            name = key.removeprefix(prefix)
            if key.startswith(prefix) and name not in self._buffers:
                self.register_buffer(name, torch.zeros_like(value, device=self.updates.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _wide(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
