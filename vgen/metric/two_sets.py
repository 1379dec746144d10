"""Features of two sets of clips, gathered exactly over processes: the torchmetrics side of every set metric."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from vgen.metric.jackknife import Estimate

UNKNOWN = -1


def check_features(features: Tensor, side: str) -> None:
    """Raise ValueError unless `features` is a finite (N, D) with N >= 2."""
    if features.ndim != 2:
        raise ValueError(f"{side} features have shape {tuple(features.shape)}; expected (clips, features)")
    if len(features) < 2:
        raise ValueError(
            f"{len(features)} {side} clips; a distance between sets needs at least 2 on each side"
        )
    broken = int((~features.isfinite()).any(dim=1).sum())
    if broken:
        raise ValueError(f"{broken} of {len(features)} {side} clips have NaN or infinite features")


def check_pair(real: Tensor, fake: Tensor) -> None:
    """Raise ValueError unless both are usable features of one extractor."""
    check_features(real, "real")
    check_features(fake, "fake")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"real clips have {real.shape[1]} features, fake clips {fake.shape[1]}; use one extractor"
        )


def join_rows(rows: list[Tensor] | Tensor) -> Tensor:
    """Rows in one tensor; parts without rows are dropped, so they need not know how wide a row is."""
    if isinstance(rows, Tensor):
        return rows
    filled = [part for part in rows if len(part)]
    return torch.cat(filled) if filled else torch.zeros(0, 0)


def by_index(features: Tensor, index: Tensor) -> Tensor:
    """Features in the order of their sample index, each index once; without indices as they come."""
    if not len(index) or bool((index == UNKNOWN).all()):
        return features
    if bool((index == UNKNOWN).any()):
        raise ValueError(
            "some clips came with a sample index and some without; give all of them one, or none"
        )
    order = torch.argsort(index, stable=True)
    index = index[order]
    first = torch.ones_like(index, dtype=torch.bool)
    first[1:] = index[1:] != index[:-1]
    return features[order[first]]


class TwoSets(Metric):
    """Keeps the features of real and fake clips in float32; subclasses say what to make of them.

    Unlike torchmetrics' own lists it survives a process that saw no clip, and drops the duplicates with which a
    distributed sampler pads: give `index`, and the result is the same for any number of processes.
    """

    full_state_update = False
    is_differentiable = False

    real_features: list[Tensor] | Tensor
    fake_features: list[Tensor] | Tensor
    real_index: list[Tensor] | Tensor
    fake_index: list[Tensor] | Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ("real_features", "fake_features", "real_index", "fake_index"):
            self.add_state(state, default=[], dist_reduce_fx=join_rows)

    def update(self, features: Tensor, real: bool, index: Tensor | None = None) -> None:
        """Add clips.

        Args:
            features: (B, D).
            real: which side they belong to.
            index: (B,) which clip of its side each is; padded duplicates carry the index of their original.
        """
        if features.ndim != 2:
            raise ValueError(f"features have shape {tuple(features.shape)}; expected (clips, features)")
        if index is None:
            index = torch.full((len(features),), UNKNOWN)
        elif index.shape != features.shape[:1]:
            raise ValueError(f"{len(features)} clips came with an index of shape {tuple(index.shape)}")
        kept, numbers = (
            (self.real_features, self.real_index) if real else (self.fake_features, self.fake_index)
        )
        assert isinstance(kept, list)
        assert isinstance(numbers, list)
        kept.append(features.detach().to(self.device, torch.float32))
        numbers.append(index.to(self.device, torch.int64))

    def sets(self) -> tuple[Tensor, Tensor]:
        """Real (N, D) and fake (M, D) features of this process (of all processes, inside `compute`), on the CPU."""
        real = by_index(join_rows(self.real_features), join_rows(self.real_index))
        fake = by_index(join_rows(self.fake_features), join_rows(self.fake_index))
        return real.cpu(), fake.cpu()

    def measure(self, real: Tensor, fake: Tensor) -> Estimate:
        """The metric of real (N, D) and fake (M, D) features with its uncertainty; keeps nothing."""
        raise NotImplementedError

    def estimate(self) -> Estimate:
        """The metric of all clips so far with its uncertainty; gathers, so every process has to call it."""
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn, should_sync=self._to_sync, should_unsync=self._should_unsync
        ):
            return self.measure(*self.sets())

    def _sync_dist(
        self, dist_sync_fn: Callable = gather_all_tensors, process_group: Any | None = None
    ) -> None:
        # every process must hand over one tensor of the same rank and type per state, empty or not
        for state in self._reductions:
            rows = join_rows(getattr(self, state))
            rows = rows.to(self.device)
            if state.endswith("_index"):
                rows = rows.reshape(-1).to(torch.int64)
            setattr(self, state, [rows])
        super()._sync_dist(dist_sync_fn, process_group)
