"""A search for settings (`vgen train -m sweep=optuna|random`) -> its trials and what mattered in it."""

import json
import math
import sqlite3
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from vgen.report.curves import one_line
from vgen.report.runs import Problem
from vgen.report.table import NOTHING, Cell, Heading, Sheet

SHOWN = 10  # best trials
ENOUGH = 10  # complete trials for importance: PED-ANOVA compares the best tenth with all


@dataclass(frozen=True)
class Trial:
    """`value` is None unless it is complete."""

    number: int
    state: str
    value: float | None
    settings: dict[str, str]
    error: str


@dataclass(frozen=True)
class Study:
    """What a search tried and found.

    Attributes:
        metric: what was searched for; `mode` says whether "min" or "max" is better, `take` whether the "best" or the
            "last" value of a run counts.
        importance: key -> share, the largest first; {} with the reason in `unknown` where it could not be computed.
    """

    name: str
    metric: str
    mode: str
    take: str
    trials: list[Trial]
    importance: dict[str, float]
    unknown: str

    @property
    def complete(self) -> list[Trial]:
        """The best first; of equals the earlier."""
        done = [trial for trial in self.trials if trial.value is not None]
        sign = 1 if self.mode == "min" else -1
        return sorted(done, key=lambda trial: (sign * (trial.value or 0.0), trial.number))


def read_studies(folders: Iterable[Path]) -> tuple[list[Study], list[Problem]]:
    """All searches in and below `folders`. One that cannot be read becomes a `Problem`."""
    studies, problems = [], []
    files = [file for folder in folders for file in sorted(folder.rglob("study.json"))]
    for file in {file.resolve(): file for file in files}.values():
        try:
            studies.append(read_study(file))
        except (OSError, ValueError, KeyError, TypeError) as error:
            problems.append(
                Problem(
                    file.parent.name,
                    f"study.json cannot be read: {type(error).__name__}: {one_line(error)}",
                    True,
                )
            )
    return studies, problems


def read_study(file: Path) -> Study:
    """The search that study.json describes; its importance comes from study.db beside it."""
    content = json.loads(file.read_text(encoding="utf-8"))
    if content["mode"] not in ("min", "max"):
        raise ValueError(f"mode {content['mode']} is neither min nor max")
    trials = [
        Trial(
            int(trial["number"]),
            str(trial["state"]),
            _finite(trial.get("value")) if trial["state"] == "complete" else None,
            dict(_setting(text) for text in trial.get("overrides", [])),
            str(trial.get("error", "")),
        )
        for trial in content["trials"]
    ]
    done = sum(trial.value is not None for trial in trials)
    if done < ENOUGH:
        importance, unknown = {}, f"it needs {ENOUGH} complete trials, there are {done}"
    else:
        importance, unknown = _importance(file.with_name("study.db"))
    name = file.resolve().parent.name
    metric, take = str(content["metric"]), str(content.get("take", "best"))
    return Study(name, metric, content["mode"], take, trials, importance, unknown)


def study_sheet(study: Study) -> Sheet:
    """The best trials, one per line: the value and every searched setting."""
    keys = list(dict.fromkeys(key for trial in study.trials for key in trial.settings))
    best = study.complete[:SHOWN]
    cells = [
        [
            Cell(f"{trial.value:.5g}".replace("-", "\N{MINUS SIGN}"), i == 0),
            *(Cell(_short(trial.settings.get(key, NOTHING))) for key in keys),
        ]
        for i, trial in enumerate(best)
    ]
    arrow = "↓" if study.mode == "min" else "↑"
    headings = [Heading(study.metric, arrow), *map(Heading, keys)]
    return Sheet(headings, [str(trial.number) for trial in best], cells, corner="trial")


def study_notes(study: Study) -> list[str]:
    counts = dict.fromkeys(trial.state for trial in study.trials)
    listed = ", ".join(f"{sum(t.state == state for t in study.trials)} {state}" for state in counts)
    shown = min(SHOWN, len(study.complete))
    notes = [
        f"{len(study.trials)} trials: {listed or 'none'}; the {shown} best are shown. A trial's value is the "
        f"{study.take} {study.metric} of its run, or the mean of that over its seeds."
    ]
    if study.complete:
        notes.append(
            "The best value of a search is the luckiest of many: run these settings on new seeds before reporting it."
        )
    if study.importance:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in study.importance.items())
        notes.append(f"Importance of the settings (PED-ANOVA, Watanabe et al. 2023; shares of 1): {shares}.")
    else:
        notes.append(f"No importance of the settings: {study.unknown}.")
    failed: dict[str, list[str]] = {}
    for trial in study.trials:
        if trial.error:
            failed.setdefault(trial.error, []).append(str(trial.number))
    return notes + [f"Failed: {error} (trial {', '.join(numbers)})" for error, numbers in failed.items()]


def _importance(database: Path) -> tuple[dict[str, float], str]:
    """Shares by key, or why there are none. The database is opened for reading only: the search may be running."""
    if not database.exists():
        return (
            {},
            "there is no study.db beside study.json (another storage was chosen, or the file was not copied)",
        )
    try:
        import optuna
    except ImportError:
        return {}, "it needs Optuna: pip install 'vgen[optuna]'"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "is experimental"
            storage = optuna.storages.RDBStorage("sqlite://", {"creator": lambda: _open_to_read(database)})
            (name,) = optuna.study.get_all_study_names(storage)
            study = optuna.load_study(study_name=name, storage=storage)
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    except Exception as error:  # of Optuna, SQLAlchemy or SQLite: a report must not end on a damaged database
        return {}, f"Optuna says: {one_line(error)}"
    known = {key: float(share) for key, share in shares.items() if math.isfinite(share)}
    if not any(known.values()):
        return {}, "none of the settings made a difference"
    return dict(sorted(known.items(), key=lambda item: -item[1])), ""


def _open_to_read(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(database.resolve()))}?mode=ro", uri=True)


def _setting(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key, value


def _short(value: str) -> str:
    try:
        return value if float(value).is_integer() else f"{float(value):.4g}"
    except (ValueError, OverflowError):
        return value


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
