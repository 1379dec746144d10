"""A project on a W&B server -> run folders in a cache. The only file that reads from W&B."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vgen.report.curves import one_line
from vgen.report.logged_run import LoggedRun, store_runs

TIMEOUT = 60  # seconds for one answer of the server


def fetch_project(
    project: str,
    cache: Path,
    *,
    group: str | None = None,
    sweep: str | None = None,
    names: Sequence[str] = (),
) -> list[Path]:
    """Folders, in `cache`, of the runs of `project` ("ENTITY/PROJECT" or "PROJECT"), oldest first.

    Args:
        group: only runs of this W&B group (vgen makes one of each multirun).
        sweep: only runs of this W&B sweep, by its id.
        names: only runs with these names or ids.

    Raises:
        ValueError: W&B says no (not logged in, no such project, not reached), nothing matches, or a name is no run's.
        ImportError: wandb is not installed.
    """
    if not 1 <= len(project.split("/")) <= 2 or not all(project.split("/")):
        raise ValueError(f"wandb={project}: no such folder, and not of the form ENTITY/PROJECT")
    filters = {key: value for key, value in (("group", group), ("sweep", sweep)) if value is not None}
    with _asking(project):
        import wandb

        runs = list(wandb.Api(timeout=TIMEOUT).runs(project, filters=filters, lazy=False))
    unknown = [name for name in names if not any(name in (run.id, run.name) for run in runs)]
    if unknown:
        raise ValueError(f"wandb={project}: no run is called {', '.join(unknown)}; {_known(runs)}")
    runs = [run for run in runs if not names or run.id in names or run.name in names]
    if not runs:
        asked = ", ".join(f"{key}={value}" for key, value in filters.items())
        raise ValueError(f"wandb={project}: no run{f' has {asked}' if asked else ' in it'}")
    return store_runs([_logged(run, project) for run in runs], cache / project)


def _logged(run: Any, project: str) -> LoggedRun:
    """`run` is a wandb.apis.public.Run."""

    def history() -> list[dict[str, Any]]:
        with _asking(project):
            return list(run.scan_history())

    def fetch(name: str, file: Path) -> None:
        with TemporaryDirectory(dir=file.parent) as folder, _asking(project):
            run.file(name).download(root=folder, replace=True).close()
            (Path(folder) / name).replace(file)

    facts: dict[str, Any] = {"started": str(run.created_at), "seed": run.config.get("seed")}
    if getattr(run, "commit", None):
        facts["git"] = {"commit": run.commit}
    with _asking(project):
        data = [artifact.metadata for artifact in run.logged_artifacts() if artifact.type == "dataset"]
    if data:
        facts["data"] = dict(data[0])
    return LoggedRun(
        id=run.id,
        name=run.name or run.id,
        url=run.url,
        state=run.state,
        version=str(getattr(run, "heartbeat_at", None) or run.created_at),
        facts=facts,
        config=dict(run.config),
        summary=dict(run.summary_metrics),
        history=history,
        fetch=fetch,
    )


@contextmanager
def _asking(project: str) -> Iterator[None]:
    """What W&B has to complain of, as one line."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:  # wandb's own, and those of its transport, have no base but this
        kind, said = type(error).__name__, one_line(error)
        if kind in ("UsageError", "AuthenticationError") and "API key" in said:
            said = f"not logged in to W&B: run `wandb login` or set WANDB_API_KEY ({said})"
        elif "Could not find project" in said or "not found" in said.lower():
            said = f"no such project, or your W&B account may not read it ({said})"
        else:
            said = f"W&B could not be asked: {said}"
        raise ValueError(f"wandb={project}: {said}") from error


def _known(runs: Sequence[Any]) -> str:
    names = [run.name or run.id for run in runs]
    return f"there are {', '.join(names[:20])}{' …' if len(names) > 20 else ''}" if names else "there is none"
