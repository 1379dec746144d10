"""Exponential moving average of the generator, with its half-life counted in clips."""

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim.swa_utils import AveragedModel

from vgen.layer.spectral import refresh_spectral_norm


def ema_decay(*, clips_seen: int, clips_per_step: int, half_life: float, ramp_up: float | None) -> float:
    """Weight of the old average in one update: 0.5 ** (clips per step / half-life).

    `half_life` is in clips; 0 keeps no memory. While `ramp_up * clips_seen` is shorter it is the half-life, so
    that the random initialisation is forgotten early (Karras et al. 2020, StyleGAN2-ADA, appendix).
    """
    if ramp_up is not None:
        half_life = min(half_life, ramp_up * clips_seen)
    return 0.5 ** (clips_per_step / half_life) if half_life > 0 else 0.0


class GeneratorAverage(AveragedModel):
    """An averaged copy of the generator: weights and float buffers averaged, counters copied.

    A submodule of the trained module, so it rides in every checkpoint; its parameters take no gradient.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__(generator, multi_avg_fn=self._blend, use_buffers=True)  # pyright: ignore[reportArgumentType]
        self.decay = 0.0
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "GeneratorAverage":
        # Always in evaluation mode: batch norms of the average must neither use nor learn batch statistics.
        return super().train(False)

    @torch.no_grad()
    def update(self, generator: nn.Module, decay: float) -> None:
        """Move towards `generator`: average = decay * average + (1 - decay) * generator."""
        self.decay = decay
        self.update_parameters(generator)
        refresh_spectral_norm(self.module)

    def _blend(self, averaged: list[Tensor], current: list[Tensor], _: Tensor) -> None:
        averaged, current = _here(averaged), _here(current)
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - self.decay)  # pyright: ignore[reportPrivateImportUsage]
        else:
            torch._foreach_copy_(averaged, current)  # pyright: ignore[reportPrivateImportUsage]


def _here(tensors: list[Tensor]) -> list[Tensor]:
    """Of sharded tensors this process's shards, which share their memory."""
    return [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]
