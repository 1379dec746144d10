"""What the evaluation asks of a metric."""

from typing import Protocol

from torch import Tensor


class Estimate(Protocol):
    """A value with its uncertainty; None where it has none."""

    @property
    def value(self) -> float: ...

    @property
    def standard_error(self) -> float | None: ...

    @property
    def bias_corrected(self) -> float | None: ...


class SetMetric(Protocol):
    """A number from the features of two sets of clips.

    `name` is the first half of the metric's full name, `fvd/<extractor>`; `stamp` says which of several
    conventions it follows. A metric that divides covariances has `divisor`, which the protocol then checks.
    """

    name: str

    @property
    def higher_is_better(self) -> bool | None: ...

    @property
    def stamp(self) -> str: ...

    def measure(self, real: Tensor, fake: Tensor) -> Estimate:
        """The value for real (N, D) and fake (M, D) features, float32 on the CPU."""
        ...

    def warnings(self, real: int, fake: int, dim: int) -> list[str]:
        """What to know about values from so many clips with `dim` features."""
        ...
