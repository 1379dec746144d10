"""Features of two sets of clips, gathered exactly over processes: the torchmetrics side of every set metric."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from vgen.metric.jackknife import Estimate
from vgen.metric.names import HIGHER_IS_BETTER

UNKNOWN = -1
_AXES = 6  # dimensions of a clip's features, at most


def check_features(features: Tensor, side: str, *, axes: str = "clips, features", least: int = 2) -> None:
    """Raise ValueError unless `features` is finite, has the axes named and `least` clips."""
    if features.ndim != axes.count(",") + 1:
        raise ValueError(f"{side} features have shape {tuple(features.shape)}; expected ({axes})")
    if len(features) < least:
        raise ValueError(
            f"{len(features)} {side} clips; a statistic of a set needs at least {least} on each side"
        )
    broken = int((~features.isfinite()).flatten(1).any(dim=1).sum())
    if broken:
        raise ValueError(f"{broken} of {len(features)} {side} clips have NaN or infinite features")


def check_pair(real: Tensor, fake: Tensor, *, axes: str = "clips, features", least: int = 2) -> None:
    """Raise ValueError unless both are usable features of one extractor."""
    check_features(real, "real", axes=axes, least=least)
    check_features(fake, "fake", axes=axes, least=least)
    if real.shape[-1] != fake.shape[-1]:
        raise ValueError(
            f"real clips have {real.shape[-1]} features, fake clips {fake.shape[-1]}; use one extractor"
        )


def join_rows(rows: list[Tensor] | Tensor) -> Tensor:
    """Rows in one tensor; parts without rows are dropped, so they need not know how wide a row is."""
    if isinstance(rows, Tensor):
        return rows
    filled = [part for part in rows if len(part)]
    return torch.cat(filled) if filled else torch.zeros(0, 0)


def by_index(rows: Tensor, index: Tensor) -> Tensor:
    """Rows in the order of their sample index, each index once; without indices as they come."""
    if not len(index) or bool((index == UNKNOWN).all()):
        return rows
    if bool((index == UNKNOWN).any()):
        raise ValueError(
            "some clips came with a sample index and some without; give all of them one, or none"
        )
    order = torch.argsort(index, stable=True)
    index = index[order]
    first = torch.ones_like(index, dtype=torch.bool)
    first[1:] = index[1:] != index[:-1]
    return rows[order[first]]


class TwoSets(Metric):
    """Keeps the features of real and fake clips in float32; subclasses say what to make of them.

    Unlike torchmetrics' own lists it survives a process that saw no clip, and drops the duplicates with which a
    distributed sampler pads: give `index`, and the result is the same for any number of processes.

    A subclass has `names`, `reads`, `stamp` and `measure`. Where values alone cost much less than their
    uncertainty it also has `values`. One with `reads_labels = True` has `measure_labelled` instead of `measure`.
    """

    full_state_update = False
    is_differentiable = False

    names: tuple[str, ...] = ()
    reads: str = "clip"
    reads_labels: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        for side in ("real", "fake"):
            for rows in ("features", "index", "labels"):
                self.add_state(f"{side}_{rows}", default=[], dist_reduce_fx=join_rows)
            # a process without clips learns from the others how a clip's features are laid out
            self.add_state(
                f"{side}_layout", default=torch.zeros(_AXES, dtype=torch.int64), dist_reduce_fx="max"
            )

    @property
    def higher_is_better(self) -> Mapping[str, bool | None]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Which way is better, for each of `names`."""
        return {name: HIGHER_IS_BETTER[name] for name in self.names}

    @property
    def stamp(self) -> str:
        """Which of several conventions its numbers follow."""
        raise NotImplementedError

    def update(
        self, features: Tensor, real: bool, index: Tensor | None = None, labels: Tensor | None = None
    ) -> None:
        """Add clips.

        Args:
            features: (B, ...), for most metrics (B, D) or (B, T, D).
            real: which side they belong to.
            index: (B,) which clip of its side each is; padded duplicates carry the index of their original.
            labels: (B,) class of each, for a metric that reads labels.
        """
        side = "real" if real else "fake"
        if not 2 <= features.ndim <= _AXES + 1:
            raise ValueError(f"features have shape {tuple(features.shape)}; expected (clips, features)")
        if index is None:
            index = torch.full((len(features),), UNKNOWN)
        elif index.shape != features.shape[:1]:
            raise ValueError(f"{len(features)} clips came with an index of shape {tuple(index.shape)}")
        if self.reads_labels and (labels is None or labels.shape != features.shape[:1]):
            raise ValueError(
                f"{type(self).__name__} needs the class of each of {len(features)} clips: labels="
            )
        layout = torch.zeros(_AXES, dtype=torch.int64, device=self.device)
        layout[: features.ndim - 1] = torch.tensor(features.shape[1:])
        known = getattr(self, f"{side}_layout")
        if known.any() and not torch.equal(known, layout):
            raise ValueError(
                f"{side} features of shape {tuple(features.shape)} follow some of (clips, "
                f"{', '.join(str(int(n)) for n in known if n)}); use one extractor and one clip length"
            )
        setattr(self, f"{side}_layout", layout)
        rows = features.detach().to(self.device, torch.float32).flatten(1)
        getattr(self, f"{side}_features").append(rows)
        getattr(self, f"{side}_index").append(index.to(self.device, torch.int64))
        if self.reads_labels and labels is not None:
            getattr(self, f"{side}_labels").append(labels.to(self.device, torch.int64))

    def sets(self) -> tuple[Tensor, Tensor]:
        """Real (N, ...) and fake (M, ...) features of this process (of all, inside `compute`), on the CPU."""
        return self._set("real"), self._set("fake")

    def labels(self) -> tuple[Tensor, Tensor]:
        """Classes (N,) and (M,) of real and fake clips, in the order of `sets`."""
        real, fake = (
            by_index(
                join_rows(getattr(self, f"{side}_labels")), join_rows(getattr(self, f"{side}_index"))
            ).cpu()
            for side in ("real", "fake")
        )
        return real, fake

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """The metric of real (N, ...) and fake (M, ...) features with its uncertainty; keeps nothing."""
        raise NotImplementedError

    def measure_labelled(
        self, real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor
    ) -> dict[str, Estimate]:
        """As `measure`, with the class (N,) and (M,) of every clip."""
        raise NotImplementedError

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """As `measure`, without uncertainty."""
        return {name: estimate.value for name, estimate in self.measure(real, fake).items()}

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """What to know about values of these features."""
        return []

    def compute(self) -> Tensor | dict[str, Tensor]:
        """The value of all clips so far, a float64 scalar on the CPU; name -> value where there are several."""
        if self.reads_labels:
            measured = self.measure_labelled(*self.sets(), *self.labels())
            found = {name: estimate.value for name, estimate in measured.items()}
        else:
            found = self.values(*self.sets())
        tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}
        return tensors[self.names[0]] if len(self.names) == 1 else tensors

    def estimates(self) -> dict[str, Estimate]:
        """The metric of all clips so far with its uncertainty; gathers, so every process has to call it."""
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn, should_sync=self._to_sync, should_unsync=self._should_unsync
        ):
            if self.reads_labels:
                return self.measure_labelled(*self.sets(), *self.labels())
            return self.measure(*self.sets())

    def _set(self, side: str) -> Tensor:
        rows = by_index(
            join_rows(getattr(self, f"{side}_features")), join_rows(getattr(self, f"{side}_index"))
        ).cpu()
        sizes = [int(size) for size in getattr(self, f"{side}_layout") if size]
        return rows.unflatten(1, sizes) if len(rows) and len(sizes) > 1 else rows

    def _sync_dist(
        self, dist_sync_fn: Callable = gather_all_tensors, process_group: Any | None = None
    ) -> None:
        # every process must hand over one tensor of the same rank and type per state, empty or not
        for state in self._reductions:
            if state.endswith("_layout"):
                continue
            rows = join_rows(getattr(self, state)).to(self.device)
            if not state.endswith("_features"):
                rows = rows.reshape(-1).to(torch.int64)
            setattr(self, state, [rows])
        super()._sync_dist(dist_sync_fn, process_group)
