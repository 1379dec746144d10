"""What an ailing run looks like from its scalars; each symptom reads one number per look and keeps a short history.

They know nothing of Lightning: `Watchdog` feeds them. A look returns what is wrong, in one line, or None. Their
whole state is the list `history`, which belongs in the checkpoint.
"""

import math
import statistics
from typing import Protocol


class Symptom(Protocol):
    history: list[float]

    def look(self, value: float) -> str | None: ...


class Explosion:
    """A value far above its own recent median: exploding gradients.

    Args:
        factor: how many medians are too many.
        window: looks that the median covers; silent until a quarter of them are there.
    """

    def __init__(self, *, factor: float, window: int = 40) -> None:
        self.factor, self.window = factor, window
        self.history: list[float] = []

    def look(self, value: float) -> str | None:
        before = statistics.median(self.history) if len(self.history) >= self.window // 4 else math.inf
        if value > self.factor * before:
            # it stays out of the history, or a run that has exploded would soon look like a normal one
            return f"is {value:.3g}, {value / before:.0f} times its median of {before:.3g}"
        self.history = [*self.history, value][-self.window :]
        return None


class Saturation:
    """A loss that has sunk to nearly nothing and stays there: the discriminator tells everything apart.

    Negative losses (critics) have no such bottom and are never reported.

    Args:
        below: the loss under which the discriminator counts as saturated.
        patience: looks in a row that it must last.
    """

    def __init__(self, *, below: float, patience: int) -> None:
        self.below, self.patience = below, patience
        self.history: list[float] = []

    def look(self, value: float) -> str | None:
        self.history = [*self.history, value][-self.patience :]
        if len(self.history) == self.patience and all(0 <= v < self.below for v in self.history):
            return f"has been below {self.below:g} for {self.patience} looks (now {value:.2g})"
        return None


class Shrinkage:
    """A value that has fallen to a fraction of the largest it ever was: diversity in a mode collapse, or speed.

    Args:
        fraction: of the largest value so far.
        patience: looks in a row that it must last.
    """

    def __init__(self, *, fraction: float, patience: int = 1) -> None:
        self.fraction, self.patience = fraction, patience
        self.history: list[float] = [0.0, 0.0]  # the largest so far, looks in a row below

    def look(self, value: float) -> str | None:
        largest = max(self.history[0], value)
        low = self.history[1] + 1 if value < self.fraction * largest else 0.0
        self.history = [largest, low]
        if low >= self.patience:
            return f"is {value:.3g}, {value / largest:.0%} of the {largest:.3g} that it once was"
        return None


class Growth:
    """A value that keeps growing: memory that leaks.

    The first looks, in which caches fill, are left out; then it reports once at each further `factor`.

    Args:
        factor: growth since the baseline.
        settle: looks before the baseline is taken.
    """

    def __init__(self, *, factor: float, settle: int = 5) -> None:
        self.factor, self.settle = factor, settle
        self.history: list[float] = [0.0, 0.0]  # looks so far, baseline

    def look(self, value: float) -> str | None:
        looks, baseline = self.history[0] + 1, self.history[1]
        if looks <= self.settle:
            self.history = [looks, max(baseline, value)]
            return None
        grown = value > self.factor * baseline
        self.history = [looks, value if grown else baseline]
        return f"has grown from {baseline:.3g} to {value:.3g}" if grown else None
