"""Multirun over every combination of swept values; what `-m a=1,2 b=x,y` means, and `sweep=grid`."""

import itertools
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override, ValueType
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from vgen.launch.jobs import Ended, Job, Jobs, SweepError, folder_name


class Product(Sweeper):
    """Hydra's basic sweeper, with folders that follow from the overrides under every launcher.

    A finished run in such a folder is left as it is and an interrupted one is continued (`vgen.cli.train`), so
    the same command completes the sweep, and a longer one adds to it. Failed jobs are told together at the end.

    Args:
        space: key -> values as the command line writes them, e.g. {"loss": "hinge,wgan", "seed": "range(3)"}.
    """

    def __init__(self, *, space: dict[str, Any] | None = None) -> None:
        self.space = space
        self.jobs: Jobs | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.jobs = Jobs(context=hydra_context, task=task_function, config=config)

    def sweep(self, arguments: list[str]) -> list[Ended]:
        assert self.jobs is not None
        jobs = combinations(self.jobs.parse(self.space, arguments))
        return self.jobs.run(jobs)


def combinations(overrides: Sequence[Override]) -> list[Job]:
    """One job for each combination of the overrides' values.

    Raises SweepError for an interval, which has no list of values.
    """
    values: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if override.value_type == ValueType.INTERVAL_SWEEP:
            raise SweepError(
                f"{override.input_line}: all combinations need values, e.g. {key}=1,2,5; an interval is for "
                "sweep=random or sweep=optuna"
            )
        values[key] = (
            list(dict.fromkeys(override.sweep_string_iterator()))
            if override.is_sweep_override()
            else [override.get_value_element_as_str()]
        )
    swept = {override.get_key_element() for override in overrides if override.is_sweep_override()}
    jobs = []
    for chosen in itertools.product(*values.values()):
        named = dict(zip(values, chosen, strict=True))
        words = tuple(f"{key}={value}" for key, value in named.items())
        jobs.append(Job(words, folder_name(named, swept)))
    names = [job.folder for job in jobs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise SweepError(
            f"two jobs would share the folder {twice}: their values differ only in special characters"
        )
    return jobs
