"""What the evaluation asks of a metric and of a set of clips."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


class Estimate(Protocol):
    """A value with its uncertainty, and the same statistic of the real clips; None where there is none."""

    @property
    def value(self) -> float: ...

    @property
    def standard_error(self) -> float | None: ...

    @property
    def bias_corrected(self) -> float | None: ...

    @property
    def real(self) -> float | None: ...


class SetMetric(Protocol):
    """Numbers from the features of two sets of clips.

    `names` are the keys of what it measures, each the first half of a full name (`fvd/<extractor>`); `reads` is
    the role of the features it works on (`vgen.clip.Extractor`), and it is measured on every extractor that has
    this role. `stamp` says which of several conventions it follows. A metric that divides covariances has
    `divisor`, which the protocol then checks. One with `reads_labels = True` also gets the labels.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def reads(self) -> str: ...

    @property
    def higher_is_better(self) -> Mapping[str, bool | None]:
        """Which way is better, for each of `names`."""
        ...

    @property
    def stamp(self) -> str: ...

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, Estimate]:
        """The values for the features of real (N, ...) and fake (M, ...) clips, float32 on the CPU."""
        ...

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """What to know about values of these features."""
        ...


class LabelledMetric(SetMetric, Protocol):
    """A metric that compares classes too."""

    reads_labels: bool

    def measure_labelled(
        self, real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor
    ) -> Mapping[str, Estimate]:
        """As `measure`, with the class (N,) and (M,) of every clip."""
        ...


@runtime_checkable
class ClipSet(Protocol):
    """A finite, ordered set of clips that can be read in any order, the same on every machine.

    `identity` is everything that decides the pixels (content of the data, choice of clips, preprocessing; for a
    generator its weights and seed), as plain JSON values: features are cached under its hash. `info` is what a
    reader of the result wants to know of it. `labels` (N,) int64, or None.
    """

    info: dict[str, Any]
    labels: Tensor | None

    @property
    def identity(self) -> dict[str, Any]: ...

    def __len__(self) -> int: ...

    def read(self, indices: Sequence[int]) -> Tensor:
        """Clips number `indices`: (b, T, H, W, C) uint8."""
        ...
