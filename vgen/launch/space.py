"""Search spaces in Hydra's own words: `choice(a,b)` or `a,b`, `range(1,9,2)`, `interval(0,1)`, `int(interval(1,64))`,
and `tag(log,interval(1e-5,1e-2))` for what is searched on a logarithmic scale."""

from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from vgen.launch.jobs import SweepError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def distribution(override: Override) -> "BaseDistribution":
    """Optuna's distribution for a swept override. Choices are the words of the command line, so they may be lists.

    Raises SweepError for a space that cannot be searched.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep: Any = override.value()
    log = "log" in sweep.tags
    try:
        if isinstance(sweep, IntervalSweep):
            low, high = sweep.start, sweep.end
            whole = isinstance(low, int) and isinstance(high, int)
            return (IntDistribution if whole else FloatDistribution)(low, high, log=log)  # type: ignore[arg-type]
        if isinstance(sweep, RangeSweep) and not sweep.shuffle:
            values = list(sweep.range())
            if log or len(values) < 2:
                raise ValueError("a range needs two values or more, and takes no tag(log, ...)")
            whole = isinstance(values[0], int)
            low, high, step = min(values), max(values), abs(sweep.step)
            return (IntDistribution if whole else FloatDistribution)(low, high, step=step)  # type: ignore[arg-type]
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise SweepError(f"{override.input_line}: cannot be searched: {error}") from error


def word(key: str, value: Any) -> str:
    """A drawn value as an override of the command line."""
    return f"{key}={value!r}" if isinstance(value, float) else f"{key}={value}"
