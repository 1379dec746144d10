"""What a row of numbers over growing damage says of a metric: does it notice, from where on, and in order?"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

NOTICED = 2.0  # standard errors between a damaged and the clean value

Judgement = Literal["graded", "uneven", "blind", "reversed"]


@dataclass(frozen=True)
class Answer:
    """The values of one metric at the levels of one corruption, from the clean clips (level 0) on.

    `errors` are standard errors, None where the metric has none. `higher_is_better` None: neither way is worse, any
    move away from the clean value is.
    """

    levels: tuple[float, ...]
    values: tuple[float, ...]
    errors: tuple[float | None, ...]
    higher_is_better: bool | None

    def __post_init__(self) -> None:
        if not len(self.levels) == len(self.values) == len(self.errors) >= 2:
            raise ValueError(
                "an answer has a value and a standard error (or None) for each of 2 levels or more"
            )
        if self.levels[0] != 0 or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels {list(self.levels)} do not rise from 0, the clean clips")

    @property
    def worse(self) -> tuple[float, ...]:
        """How much worse than clean at each level, in the metric's own unit; 0 at the first."""
        sign = {True: -1.0, False: 1.0, None: 0.0}[self.higher_is_better]
        moves = [value - self.values[0] for value in self.values]
        sign = sign or math.copysign(1.0, max(moves, key=abs))
        return tuple(sign * move for move in moves)

    @property
    def noise(self) -> tuple[float | None, ...]:
        """Standard error of `worse`. Both values share their clips, which makes this an upper estimate."""
        clean = self.errors[0]
        return tuple(None if e is None or clean is None else math.hypot(e, clean) for e in self.errors)

    @property
    def clean_is_zero(self) -> bool:
        """Whether the clean value cannot be told from 0, or is below (an unbiased distance): no base of a ratio."""
        return self.values[0] <= NOTICED * (self.errors[0] or 0.0)

    @property
    def unit(self) -> float:
        """What responses are multiples of: the clean value, or twice its standard error where that is larger."""
        clean = max(abs(self.values[0]), NOTICED * (self.errors[0] or 0.0))
        return clean or max(map(abs, self.worse)) or 1.0

    @property
    def response(self) -> tuple[float, ...]:
        """`worse` in units of `unit`: 1 is a distance doubled."""
        return tuple(worse / self.unit for worse in self.worse)


@dataclass(frozen=True)
class Verdict:
    """What an answer says.

    Attributes:
        judgement: "graded": noticed, and never better by more than a standard error at a higher level; "uneven":
            noticed, but not in order; "blind": not noticed at any level; "reversed": the damage looks better than
            the clean clips.
        noticed: the levels that are told from the clean clips, by 2 standard errors.
        ratio: of the value at the highest level to the clean one; None where the latter cannot be told from 0.
        sigmas: how much worse the highest level is, in standard errors; None without these.
    """

    judgement: Judgement
    noticed: tuple[float, ...]
    ratio: float | None
    sigmas: float | None


def judge(answer: Answer) -> Verdict:
    """The verdict on one answer."""
    worse, noise = answer.worse, answer.noise
    limits = [NOTICED * (error or 0.0) for error in noise]
    damaged = range(1, len(worse))
    noticed = [i for i in damaged if worse[i] > limits[i]]
    flattered = [i for i in damaged if worse[i] < -limits[i]]
    steps = zip(worse[1:], worse[2:], noise[1:], noise[2:], strict=False)
    in_order = all(after >= before - math.hypot(a or 0.0, b or 0.0) for before, after, a, b in steps)
    judgement: Judgement
    if not noticed and not flattered:
        judgement = "blind"
    elif flattered and flattered[-1] == len(worse) - 1 and answer.higher_is_better is not None:
        judgement = "reversed"
    else:
        judgement = "graded" if in_order and not flattered else "uneven"
    ratio = None if answer.clean_is_zero else answer.values[-1] / answer.values[0]
    sigmas = worse[-1] / noise[-1] if noise[-1] else None
    return Verdict(judgement, tuple(answer.levels[i] for i in noticed), ratio, sigmas)


def sensitivity(answers: Sequence[Answer]) -> float:
    """Mean over answers and levels of log2(1 + response), in doublings of the clean value; being reversed counts 0."""
    doublings = [math.log2(1 + max(0.0, r)) for answer in answers for r in answer.response[1:]]
    return math.fsum(doublings) / len(doublings) if doublings else 0.0


def motion_share(spatial: Iterable[Answer], temporal: Iterable[Answer]) -> float | None:
    """Temporal over spatial plus temporal sensitivity: 0 sees pictures only, 1 motion only; None if it sees neither.

    Levels of different corruptions have no common unit, so only shares from the same corruptions compare.
    """
    picture, motion = sensitivity(list(spatial)), sensitivity(list(temporal))
    return motion / (picture + motion) if picture + motion > 0 else None
