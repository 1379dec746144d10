"""The jobs of a sweep: a folder that follows from what is asked, and whichever of Hydra's launchers runs them.

Hydra names a job's folder inside the process that runs it. That process may be on another machine, long after;
here the names are settled before launching and handed on, so that the same sweep finds its folders again.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

# What does not make another run of a job: only where they are swept do these keys name its folder.
LENGTH_AND_PLACE = {
    "output", "kclips", "logger", "callback", "workers", "prefetch", "trainer", "paths", "hydra", "sweep",
}  # fmt: skip


class SweepError(ValueError):
    """A sweep cannot go on or has failed; the message is one line for the user."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep: its command line, and its folder below the sweep's."""

    overrides: tuple[str, ...]
    folder: str


@dataclass(frozen=True)
class Ended:
    """What a launcher says of a job: the value that the task returned, or why it failed."""

    job: Job
    value: object
    error: str | None


class Jobs:
    """Launches jobs of one sweep, with its launcher, into its folder."""

    def __init__(self, *, context: HydraContext, task: TaskFunction, config: DictConfig) -> None:
        package = ".".join(str(config.hydra.launcher._target_).split(".")[:2])
        if not _is_installed(package):
            raise SweepError(
                f"{package} is not installed: pip install 'vgen[slurm]' for submitit, 'vgen[joblib]'"
            )
        self.context = context
        self.config = config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )
        self.folder = Path(config.hydra.sweep.dir).absolute()
        self.launched = 0

    def begin(self) -> None:
        """Make the sweep's folder and keep its configuration there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, self.folder / "multirun.yaml")

    def parse(self, space: Mapping[str, object] | None, arguments: Sequence[str]) -> list[Override]:
        """Overrides of a sweep: `space` of the configuration, then the command line, which has the last word."""
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        given = parser.parse_overrides(list(arguments))
        keys = {override.key_or_group for override in given}
        kept = [f"{key}={value}" for key, value in (space or {}).items() if key not in keys]
        return [*parser.parse_overrides(kept), *given]

    def check(self, jobs: Sequence[Job]) -> None:
        """Compose every job; what cannot be composed is said before the first one starts."""
        for job in jobs:
            self.context.config_loader.load_sweep_config(self.config, self._words(job))

    def launch(self, jobs: Sequence[Job]) -> list[Ended]:
        """Run the jobs and wait for them. A job that fails is told of, and does not end the others.

        Raises SweepError if the launcher itself gives up, as it does when a cluster kills a job for good.
        """
        try:
            returned: Sequence[JobReturn] = self.launcher.launch(
                [self._words(job) for job in jobs], initial_job_idx=self.launched
            )
        except Exception as error:
            reason = (str(error) or repr(error)).splitlines()[0]
            raise SweepError(
                f"{type(self.launcher).__name__} gave up on a job ({reason}); the same command with "
                f"output={self.folder} continues the sweep"
            ) from error
        self.launched += len(jobs)
        return [_ended(job, one) for job, one in zip(jobs, returned, strict=True)]

    def run(self, jobs: Sequence[Job]) -> list[Ended]:
        """All there is to a sweep that knows its jobs: check them, make the folder, launch.

        Raises SweepError, at the end, if some of them failed.
        """
        self.check(jobs)
        self.begin()
        ended = self.launch(jobs)
        if any(one.error for one in ended):
            raise SweepError(failures(ended))
        return ended

    def _words(self, job: Job) -> list[str]:
        place = {"hydra.sweep.dir": str(self.folder), "hydra.sweep.subdir": job.folder}
        return [*job.overrides, *(f"{key}={quoted(value)}" for key, value in place.items())]


def folder_name(overrides: Mapping[str, str], swept: set[str]) -> str:
    """A folder that the overrides (key -> value) name: what is swept first, since a long name is cut at its end."""
    first = sorted(f"{key}={value}" for key, value in overrides.items() if key in swept)
    then = sorted(
        f"{key}={value}"
        for key, value in overrides.items()
        if key not in swept and re.split(r"[.@]", key.lstrip("+~"), maxsplit=1)[0] not in LENGTH_AND_PLACE
    )
    return _slug(",".join([*first, *then])) or "job"


def failures(ended: Sequence[Ended]) -> str:
    """Failed jobs in one line: how many, and what went wrong in the first of them."""
    failed = [one for one in ended if one.error]
    shown = "; ".join(f"{one.job.folder}: {one.error}" for one in failed[:3])
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    return f"{len(failed)} of {len(ended)} jobs failed: {shown}{more}"


def quoted(value: str) -> str:
    """A string as Hydra's command line takes it, whatever it holds."""
    return QuotedString(text=value, quote=Quote.single).with_quotes()


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:
        return False


def _ended(job: Job, returned: JobReturn) -> Ended:
    value = returned._return_value
    if returned.status == JobStatus.COMPLETED:
        return Ended(job, value, None)
    return Ended(job, None, " ".join(str(value).split()) or repr(value))


def _slug(text: str) -> str:
    """A folder name from command-line overrides: no separators, at most 80 characters."""
    clean = re.sub(r"[^A-Za-z0-9=.,_+-]+", "-", text).strip("-").replace("=-", "=")
    return (
        clean
        if len(clean) <= 80
        else f"{clean[:71]}-{hashlib.blake2b(clean.encode(), digest_size=4).hexdigest()}"
    )
