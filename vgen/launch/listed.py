"""Multirun over a list of jobs that a file names, each with its folder: what `vgen paper` hands to a launcher."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from vgen.files import replacing
from vgen.launch.jobs import Ended, Job, Jobs


class Listed(Sweeper):
    """One job for each entry of `file` (folder -> words of its command line); words of the sweep are added to all."""

    def __init__(self, *, file: str) -> None:
        self.file = file
        self.jobs: Jobs | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.jobs = Jobs(context=hydra_context, task=task_function, config=config)

    def sweep(self, arguments: list[str]) -> list[Ended]:
        assert self.jobs is not None
        listed: dict[str, list[str]] = json.loads(Path(self.file).read_text(encoding="utf-8"))
        shared = [a for a in arguments if not a.startswith("output=")]
        jobs = [Job((*words, *shared), folder) for folder, words in listed.items()]
        return self.jobs.run(jobs)


def write_jobs(file: Path, jobs: Mapping[str, Sequence[str]]) -> Path:
    """The file that `Listed` reads."""
    with replacing(file) as partial:
        partial.write_text(json.dumps({folder: list(words) for folder, words in jobs.items()}, indent=2))
    return file
