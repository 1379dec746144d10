"""vgen paper: all runs, evaluations and tables of a paper from one manifest."""

import contextlib
import logging
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from vgen.cli.errors import telling, user_message
from vgen.cli.evaluate import evaluate
from vgen.config import CONF_DIR, ConfigError, plain, type_problem
from vgen.launch.children import Child, holding, run_children
from vgen.launch.jobs import quoted
from vgen.launch.listed import write_jobs
from vgen.launch.manifest import Manifest, Table, read_manifest
from vgen.launch.plan import Asked, CannotPlan, Planned, plan_evaluations, plan_runs
from vgen.report.paper import Status, TablePage, Wanted, write_index, write_table

log = logging.getLogger("vgen")


@hydra.main(config_path=str(CONF_DIR), config_name="paper", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("paper"):
        paper(config)


@dataclass
class _Paper:
    """The manifest, what it asks for, and what went wrong: folder of a run -> line."""

    manifest: Manifest
    folder: Path
    runs: list[Planned]
    evaluations: dict[str, Asked]
    failed: dict[str, str] = field(default_factory=dict)

    def distinct(self) -> list[Planned]:
        """The runs, each once."""
        return list({run.folder: run for run in self.runs}.values())

    def asked(self, run: Planned) -> list[Asked]:
        """The evaluations of a run by all entries that ask for it."""
        entries = dict.fromkeys(other.entry for other in self.runs if other.folder == run.folder)
        names = dict.fromkeys(name for e in entries for name in self.manifest.entries[e].evaluations)
        return [self.evaluations[name] for name in names]

    def fails(self, run: Planned, line: str) -> None:
        """Tell `line` of the run at the end."""
        before = f"{self.failed[run.name]}; " if run.name in self.failed else ""
        self.failed[run.name] = f"{before}{line}"

    def to_evaluate(self, run: Planned) -> list[tuple[Planned, Asked]]:
        """What is left to measure of a run, if it is finished."""
        if run.state != "finished":
            return []
        return [(run, asked) for asked in self.asked(run) if not asked.is_done(run)]


def paper(config: DictConfig) -> None:
    """Do what is left to do for `config.manifest`; exits with 1 if a run or a table is missing at the end."""
    _check(config)
    manifest = read_manifest(_find(str(config.manifest)))
    folder = Path(config.output or f"runs/paper/{manifest.file.stem}").expanduser().absolute()
    if config.dry:
        print("\n".join(_told(_plan(manifest, folder, config))))
        return
    with holding(folder / ".lock") as lock:
        whole = _plan(manifest, folder, config)
        print("\n".join(_told(whole)), flush=True)
        shutil.copyfile(manifest.file, folder / "manifest.yaml")
        _train(whole, config, lock)
        _evaluate(whole)
        tables = [_table(whole, table) for table in manifest.tables.values()]
        _write_index(whole, tables)
    print(f"written to {folder / 'index.html'}")
    wrong = [*whole.failed.items(), *((f"tables.{t.name}", t.error) for t in tables if t.error)]
    if wrong:
        lines = "\n".join(f"  {name}: {line}" for name, line in wrong)
        print(f"vgen: {len(wrong)} failed; the same command tries again:\n{lines}", file=sys.stderr)
        raise SystemExit(1)


def _plan(manifest: Manifest, folder: Path, config: DictConfig) -> _Paper:
    folders = _config_folders()
    try:
        runs = plan_runs(manifest, folder, folders)
        return _Paper(manifest, folder, runs, plan_evaluations(manifest, tuple(config.evaluate), folders))
    except CannotPlan as error:
        cause = error.__cause__ or error
        line = user_message(cause, error.command) or str(cause)
        raise ConfigError(f"{manifest.file}: {error.place}: {line}") from error


def _train(whole: _Paper, config: DictConfig, lock: int) -> None:
    """Train what is not finished: each run as the command that a user would type, or all through a launcher."""
    left = [run for run in whole.distinct() if run.state != "finished"]
    if not left:
        return
    folders = [f"--config-dir={folder}" for folder in _config_folders()]
    begin = (sys.executable, "-m", "vgen", "train", *folders)
    logs = whole.folder / "logs"
    if config.launcher is None:
        own = (*begin, *config.train)
        children = [
            Child(run.name, (*own, *run.words, f"output={quoted(str(run.folder))}"), logs / f"{run.name}.log")
            for run in left
        ]
        errors = run_children(children, at_once=config.jobs, devices=list(config.devices), lock=lock)
    else:
        jobs = write_jobs(whole.folder / "jobs.json", {run.name: run.words for run in left})
        launched = (
            f"hydra/launcher={config.launcher}",
            "hydra/sweeper=listed",
            f"hydra.sweeper.file={quoted(str(jobs))}",
        )
        command = (*begin, "-m", *launched, *config.train, f"output={quoted(str(whole.folder / 'runs'))}")
        errors = run_children([Child("launcher", command, logs / "launcher.log")], at_once=1, lock=lock)
    output = _lines(logs / "launcher.log") if "launcher" in errors else []
    for run in left:
        if run.state != "finished":
            told = next((line for line in reversed(output) if f"{run.folder} failed: " in line), None)
            if told is not None:
                errors[run.name] = told.split(f"{run.folder} failed: ", 1)[1]
            said = errors.get(run.name) or errors.get("launcher")
            whole.failed[run.name] = said or "it ended before its last step"


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []


def _evaluate(whole: _Paper) -> None:
    """Measure every finished run as its entry asks; features are kept, so that metrics share them."""
    left = [pair for run in whole.distinct() for pair in whole.to_evaluate(run)]
    for number, (run, asked) in enumerate(left, start=1):
        print(f"[{number}/{len(left)}] {asked.evaluation.name} of {run.name}", flush=True)
        file = whole.folder / "logs" / f"{run.name}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        request = asked.config.copy()
        request.checkpoint, request.output = str(asked.checkpoint(run)), str(asked.result(run))
        try:
            with file.open("a") as opened, contextlib.redirect_stdout(opened), _quietly():
                evaluate(request)
        except Exception as error:
            line = user_message(error, "evaluate")
            if line is None:
                with file.open("a") as opened:
                    traceback.print_exc(file=opened)
                line = (
                    f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''} (see {file})"
                )
            whole.fails(run, f"{asked.evaluation.name}: {line}")
    for run in whole.distinct():
        for asked in whole.asked(run):
            for why in asked.unmeasured(run):
                whole.fails(run, f"{asked.evaluation.name}: {why}")


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what a command says of its settings, which is the same for every run; warnings come through."""
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


def _table(whole: _Paper, table: Table) -> TablePage:
    output = whole.folder / "tables" / table.name
    wanted: dict[Path, Wanted] = {}
    for run in whole.runs:
        if run.entry in table.rows:
            shown = [asked for asked in whole.asked(run) if asked.evaluation.name in table.columns]
            done = [asked for asked in shown if run.state == "finished" and asked.is_done(run)]
            results = {asked.evaluation.name: asked.result(run) for asked in done}
            error = whole.failed.get(run.name, "not evaluated") if len(done) < len(shown) else ""
            wanted[run.folder] = Wanted(run.name, run.folder, run.config, results, error)
    try:
        return write_table(
            list(wanted.values()),
            output,
            name=table.name,
            title=table.title,
            baseline=table.baseline,
            metrics=table.metrics,
        )
    except ValueError as error:
        return TablePage(table.name, table.title, output, error=" ".join(str(error).split()))


def _write_index(whole: _Paper, tables: Sequence[TablePage]) -> None:
    runs = [Status(r.name, r.folder, r.state, whole.failed.get(r.name, "")) for r in whole.distinct()]
    text = whole.manifest.file.read_text(encoding="utf-8")
    write_index(
        whole.folder / "index.html", title=whole.manifest.title, tables=tables, runs=runs, manifest=text
    )


def _told(whole: _Paper) -> list[str]:
    """The plan: what is left to do, what has changed, and what is there but not asked for."""
    runs = whole.distinct()
    states = [run.state for run in runs]
    counts = ", ".join(f"{states.count(s)} {s}" for s in ("finished", "begun", "new") if s in states)
    lines = [f"{whole.manifest.title}: {len(runs)} runs ({counts}) in {whole.folder}"]
    added = dict.fromkeys(key for run in runs for key in run.added)
    if added:
        lines.append(f"  {', '.join(added)}: newer than finished runs, which count as made with the default")
    for run, state in zip(runs, states, strict=True):
        if state == "finished":
            names = [asked.evaluation.name for _, asked in whole.to_evaluate(run)]
            if names:
                lines.append(f"  evaluate {run.name}: {', '.join(names)}")
            continue
        lines.append(f"  {'continue' if state == 'begun' else 'train'} {run.name}")
        if run.changed:
            lines.append(f"    changed ({run.changed}); the earlier run stays")
    if set(states) == {"finished"} and len(lines) == 1:
        lines.append("  nothing to train or to evaluate")
    asked = {run.folder for run in runs}
    others = sorted(
        f.parent for f in (whole.folder / "runs").glob("*/*/config.yaml") if f.parent not in asked
    )
    if others:
        names = ", ".join(f.relative_to(whole.folder / "runs").as_posix() for f in others[:5])
        lines.append(f"  not in the manifest, left as it is: {names}{' ...' if len(others) > 5 else ''}")
    return lines


def _check(config: DictConfig) -> None:
    for key, kind in (("jobs", int), ("dry", bool), ("train", list[str]), ("evaluate", list[str])):
        problem = type_problem(kind, plain(config[key]))
        if problem:
            raise ConfigError(f"{key}={plain(config[key])}: {problem}")
    if config.jobs < 1:
        raise ConfigError(f"jobs={config.jobs}: must be at least 1")


def _find(name: str) -> Path:
    """A file, or a manifest that comes with vgen or lies in a --config-dir."""
    file = Path(name).expanduser()
    if file.is_file():
        return file.absolute()
    shipped = [
        found for folder in (*_config_folders(), str(CONF_DIR)) for found in Path(folder).glob("paper/*.yaml")
    ]
    for found in shipped:
        if found.stem == name:
            return found
    raise ConfigError(
        f"manifest={name}: no such file; shipped are {', '.join(f.stem for f in sorted(shipped))}"
    )


def _config_folders() -> list[str]:
    """The user's own folders of options (--config-dir)."""
    sources = HydraConfig.get().runtime.config_sources
    return [source.path for source in sources if source.provider == "command-line"]
