"""Search for the settings with the best metric: Optuna's samplers behind Hydra's multirun (`sweep=optuna|random`).

Written against Optuna itself, since the released Hydra plugin asks for Optuna 2, and starts at job 0 again, in the
folders of earlier jobs, when its study is continued. Here a trial's number names its folder, a trial that was
running when the search was killed is run again in that folder, where training continues, and the draws of a trial
follow from (seed, number) and the trials before it. A search that was killed and continued thus ends as one that
was not.
"""

import json
import logging
import math
from typing import TYPE_CHECKING, Any, Literal

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from vgen import rng
from vgen.files import replacing
from vgen.launch.jobs import LENGTH_AND_PLACE, Ended, Job, Jobs, SweepError
from vgen.launch.outcome import direction
from vgen.launch.run_lock import alone_in
from vgen.launch.space import distribution, word

if TYPE_CHECKING:
    import optuna

log = logging.getLogger("vgen")


class Search(Sweeper):
    """Asks Optuna for trials, runs them as jobs, tells it their metric.

    A job that fails makes its trial a failed one, with its error, and the search goes on.

    Args:
        sampler: "tpe" or "random".
        trials: how many, failed ones and those of an earlier call included.
        parallel: trials that are drawn and launched together.
        metric: name in metrics.csv.
        take: the "best" or the "last" value of a run.
        mode: whether "min" or "max" is better; null if the metric's name says it.
        seeds: if given, every trial is one run for each, and its value their mean.
        seed: of the sampler.
        storage: database URL; null for study.db in the sweep's folder.
        space: key -> search space as the command line writes it.
    """

    def __init__(
        self,
        *,
        sampler: Literal["tpe", "random"],
        trials: int,
        metric: str,
        mode: Literal["min", "max"] | None = None,
        take: Literal["best", "last"] = "best",
        parallel: int = 1,
        seeds: list[int] | None = None,
        seed: int = 0,
        storage: str | None = None,
        space: dict[str, Any] | None = None,
    ) -> None:
        self.sampler = sampler
        self.trials, self.parallel = trials, parallel
        self.metric, self.mode, self.take = metric, mode, take
        self.seeds = list(seeds) if seeds else None
        self.seed = seed
        self.storage = storage
        self.space = space
        self.jobs: Jobs | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        HydraConfig.instance().set_config(config)  # names of chosen options may be part of the metric's
        self.jobs = Jobs(context=hydra_context, task=task_function, config=config)

    def sweep(self, arguments: list[str]) -> "optuna.Study":
        assert self.jobs is not None
        self._check_settings()
        overrides = self.jobs.parse(self.space, arguments)
        space = {o.get_key_element(): distribution(o) for o in overrides if o.is_sweep_override()}
        if not space:
            raise SweepError(
                "nothing to search: give sweep.space in a YAML or swept values, e.g. "
                "'optimizer.generator.lr=tag(log,interval(1e-5,1e-2))' loss=hinge,wgan"
            )
        fixed = [
            f"{o.get_key_element()}={o.get_value_element_as_str()}"
            for o in overrides
            if not o.is_sweep_override()
        ]
        self.jobs.check(_every_choice(overrides))
        self.jobs.begin()
        with alone_in(self.jobs.folder):  # another process would take running trials for interrupted ones
            study = self._study(space, fixed)
            while batch := self._next(study, space):
                self._run(study, batch, fixed)
                self._write_summary(study)
            return self._conclude(study)

    def _check_settings(self) -> None:
        # Not in the constructor: Hydra would wrap the message in its own.
        for name, value, choices in (
            ("sampler", self.sampler, ("tpe", "random")),
            ("take", self.take, ("best", "last")),
        ):
            if value not in choices:
                raise SweepError(f"sweep.{name}={value}: choose {' or '.join(choices)}")
        for name, count in (("trials", self.trials), ("parallel", self.parallel)):
            if not isinstance(count, int) or count < 1:
                raise SweepError(f"sweep.{name}={count}: must be a whole number above 0")
        self.mode = direction(self.metric, self.mode)
        try:
            import optuna  # noqa: F401
        except ImportError as error:
            raise SweepError(
                "sweep=optuna and sweep=random need Optuna: pip install 'vgen[optuna]'"
            ) from error

    def _study(self, space: dict[str, Any], fixed: list[str]) -> "optuna.Study":
        import optuna

        assert self.jobs is not None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            storage=self.storage or f"sqlite:///{self.jobs.folder / 'study.db'}",
            study_name=self.jobs.folder.name,
            direction="minimize" if self.mode == "min" else "maximize",
            load_if_exists=True,
        )
        asked = {
            "space": {key: optuna.distributions.distribution_to_json(d) for key, d in sorted(space.items())},
            "fixed": sorted(
                f for f in fixed if f.split("=")[0].split(".")[0] not in LENGTH_AND_PLACE - {"kclips"}
            ),
            "metric": [self.metric, self.take, self.mode],
            "seeds": self.seeds,
        }
        found = study.user_attrs.get("asked")
        if found is None:
            study.set_user_attr("asked", asked)
        elif found != asked:
            differing = ", ".join(key for key in asked if asked[key] != found.get(key))
            raise SweepError(
                f"{self.jobs.folder} holds another search ({differing} differ): give the same command to continue "
                "it, or another output= for a new one"
            )
        return study

    def _next(self, study: "optuna.Study", space: dict[str, Any]) -> "list[optuna.Trial]":
        """Trials that were interrupted, else a batch of new ones; none when there are enough."""
        import optuna

        known = study.get_trials(deepcopy=False)
        batch = [
            optuna.Trial(study, t._trial_id) for t in known if t.state == optuna.trial.TrialState.RUNNING
        ]
        for trial in batch:  # one that was interrupted while it was drawn is drawn to its end
            self._draw(study, trial, space)
        # Batches start at multiples of their size, so that one which was interrupted while it was drawn is filled up.
        for number in range(len(known), self.trials):
            if batch and number % self.parallel == 0:
                break
            batch.append(study.ask())
            self._draw(study, batch[-1], space)
        return batch

    def _draw(self, study: "optuna.Study", trial: "optuna.Trial", space: dict[str, Any]) -> None:
        study.sampler = self._sampler(trial.number)
        for key, wanted in space.items():
            trial._suggest(key, wanted)

    def _sampler(self, number: int) -> "optuna.samplers.BaseSampler":
        from optuna.samplers import RandomSampler, TPESampler

        seed = rng.derive(self.seed, "trial", number) % 2**32
        if self.sampler == "random":
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed, constant_liar=self.parallel > 1)

    def _run(self, study: "optuna.Study", batch: "list[optuna.Trial]", fixed: list[str]) -> None:
        assert self.jobs is not None
        jobs = [self._of_trial(trial, fixed) for trial in batch]
        ended = iter(self.jobs.launch([job for group in jobs for job in group]))
        for trial, group in zip(batch, jobs, strict=True):
            self._tell(study, trial, [next(ended) for _ in group])

    def _of_trial(self, trial: "optuna.Trial", fixed: list[str]) -> list[Job]:
        words = [*fixed, *(word(key, value) for key, value in trial.params.items())]
        folder = f"trial_{trial.number:04d}"
        if self.seeds is None:
            return [Job(tuple(words), folder)]
        return [Job((*words, f"seed={seed}"), f"{folder}_seed_{seed}") for seed in self.seeds]

    def _tell(self, study: "optuna.Study", trial: "optuna.Trial", ended: list[Ended]) -> None:
        import optuna

        error = next((f"{one.job.folder}: {one.error}" for one in ended if one.error), None)
        values = [float(one.value) for one in ended if isinstance(one.value, int | float)]
        if error is None and len(values) < len(ended):
            error = f"{ended[0].job.folder}: gave no {self.metric}"
        trial.set_user_attr("folders", [one.job.folder for one in ended])
        if error is not None:
            trial.set_user_attr("error", error)
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            log.warning("trial %d failed: %s", trial.number, error)
            return
        trial.set_user_attr("values", values)
        study.tell(trial.number, math.fsum(values) / len(values))
        best = study.best_trial
        log.info(
            "trial %d: %s %g; best so far %g (trial %d)",
            trial.number, self.metric, math.fsum(values) / len(values), best.value, best.number,
        )  # fmt: skip

    def _write_summary(self, study: "optuna.Study") -> None:
        """study.json: every trial as plain values, readable without Optuna."""
        assert self.jobs is not None
        trials = [
            {
                "number": t.number,
                "state": t.state.name.lower(),
                "value": t.value,
                "overrides": [word(key, value) for key, value in t.params.items()],
                **{k: t.user_attrs[k] for k in ("folders", "values", "error") if k in t.user_attrs},
            }
            for t in study.get_trials(deepcopy=False)
        ]
        done = [t for t in trials if t["state"] == "complete"]
        summary = {
            "metric": self.metric,
            "mode": self.mode,
            "take": self.take,
            "best": study.best_trial.number if done else None,
            "trials": trials,
        }
        with replacing(self.jobs.folder / "study.json") as partial:
            partial.write_text(json.dumps(summary, indent=2))

    def _conclude(self, study: "optuna.Study") -> "optuna.Study":
        import optuna

        assert self.jobs is not None
        trials = study.get_trials(deepcopy=False)
        failed = [t for t in trials if t.state == optuna.trial.TrialState.FAIL]
        if len(failed) == len(trials):
            raise SweepError(
                f"all {len(failed)} trials failed; the first: {failed[0].user_attrs.get('error', 'unknown error')} "
                f"(a new search needs another output=, or {self.jobs.folder} removed)"
            )
        best = study.best_trial
        words = " ".join(word(key, value) for key, value in best.params.items())
        log.info("%d trials, %d failed; study: %s", len(trials), len(failed), self.jobs.folder / "study.json")
        log.info("best: trial %d, %s %g: %s", best.number, self.metric, best.value, words)
        return study


def _every_choice(overrides: list[Override]) -> list[Job]:
    """Few jobs in which each choice of each searched key occurs: to find out whether all of them compose."""
    columns: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            columns[key] = [override.get_value_element_as_str()]
        elif override.is_discrete_sweep():
            columns[key] = list(override.sweep_string_iterator())
        else:
            interval: Any = override.value()
            columns[key] = [repr(interval.start), repr(interval.end)]
    rows = max(len(values) for values in columns.values())
    return [
        Job(tuple(f"{key}={values[row % len(values)]}" for key, values in columns.items()), "unused")
        for row in range(rows)
    ]
