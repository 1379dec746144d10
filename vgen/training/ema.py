"""Exponential moving average of the generator, with its half-life counted in clips."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils.parametrize import is_parametrized
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

    A submodule of the trained module, so it rides in every checkpoint; its parameters take no gradient. Updates are
    written here because AveragedModel's own ask the device at every step how many there have been.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__(generator, use_buffers=True)
        self.requires_grad_(False)
        self.eval()
        self._pairs: _Pairs | None = None

    def train(self, mode: bool = True) -> "GeneratorAverage":
        # Always in evaluation mode: batch norms of the average must neither use nor learn batch statistics.
        return super().train(False)

    @torch.no_grad()
    def update(self, generator: nn.Module, decay: float) -> None:
        """Move towards `generator`: average = decay * average + (1 - decay) * generator. The first one copies."""
        if self._pairs is None or self._pairs.source is not generator:
            self._pairs = _Pairs(self.module, generator, started=bool(self.n_averaged > 0))
        for averaged, current in self._pairs.by_kind():
            if averaged[0].is_floating_point() and self._pairs.started:
                torch._foreach_lerp_(averaged, current, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
            else:
                torch._foreach_copy_(averaged, current)  # pyright: ignore[reportPrivateImportUsage]
        self._pairs.started = True
        self.n_averaged += 1
        if self._pairs.normalised:
            refresh_spectral_norm(self.module)


class _Pairs:
    """Where each tensor of the average and its counterpart are kept.

    The places stay while tensors may be replaced (`buffer = new`); finding them anew at every step would take as long
    as the update. No module: the generator must not become a part of its average.
    """

    def __init__(self, average: nn.Module, source: nn.Module, *, started: bool) -> None:
        self.source, self.started = source, started
        self.normalised = any(is_parametrized(layer) for layer in average.modules())
        self._places: list[tuple[dict[str, Tensor | None], dict[str, Tensor | None], str]] = []
        seen: set[int] = set()  # tensors that several layers share count once
        for mine, theirs in zip(average.modules(), source.modules(), strict=True):
            for own, other in ((mine._parameters, theirs._parameters), (mine._buffers, theirs._buffers)):
                for name, tensor in own.items():
                    if tensor is not None and id(tensor) not in seen:
                        seen.add(id(tensor))
                        self._places.append((own, other, name))  # pyright: ignore[reportArgumentType]

    def by_kind(self) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
        """The tensors of the average and of its source, those of one device and type together."""
        kinds: dict[tuple[torch.device, torch.dtype], tuple[list[Tensor], list[Tensor]]] = {}
        for own, other, name in self._places:
            averaged, current = _here(own[name]), _here(other[name])
            mine, theirs = kinds.setdefault((averaged.device, averaged.dtype), ([], []))
            mine.append(averaged)
            theirs.append(current)
        return kinds.values()


def _here(tensor: Tensor | None) -> Tensor:
    """Of a sharded tensor this process's shard, which shares its memory."""
    assert tensor is not None
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
