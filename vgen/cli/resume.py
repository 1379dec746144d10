"""`vgen train resume=RUN`: the command that made a run, found in its folder, with what was changed since.

RUN/.hydra holds the overrides of the job. Composing from them, instead of reading the resolved RUN/config.yaml, keeps
facts written once tied together: a new `kclips` reaches the trainer and the schedules. It is written in Hydra's own
form, but not by Hydra, which would do so before the command is accepted: one that is refused would leave the run with
overrides that are not its own.
"""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from vgen.config import ConfigError
from vgen.files import replacing
from vgen.launch.outcome import is_finished

AUTO = "auto"


def resumed_arguments(arguments: list[str]) -> list[str]:
    """The arguments of `vgen train` with `resume=` replaced by what it stands for; without it, as they are.

    `resume=RUN` continues the run in that folder; further overrides come on top. `resume=auto` continues the newest
    unfinished run that the same overrides began, and starts a new run if there is none: the same line serves the
    first start and every requeue of a job.

    Raises:
        ConfigError: no run there, or a multirun (the same multirun command with `output=` continues it).
    """
    wanted = [a.removeprefix("resume=") for a in arguments if a.startswith("resume=")]
    if not wanted or wanted[-1] in ("null", ""):
        return arguments
    rest = [a for a in arguments if not a.startswith("resume=")]
    if {"-m", "--multirun"} & set(rest):
        raise ConfigError("resume= is for one run: give the multirun's own command again, with its output=")
    if wanted[-1] == AUTO:
        found = _newest_unfinished(_overrides(rest))
        return rest if found is None else [*rest, f"output={found.absolute()}"]
    run = Path(wanted[-1]).expanduser()
    recorded = _recorded(run)
    if recorded is None and (run / "multirun.yaml").is_file():
        raise ConfigError(
            f"resume={run}: that is a multirun; give its own command again with output={run}, or one of its folders "
            "here"
        )
    if recorded is None:
        raise ConfigError(f"resume={run}: no run of vgen train there (it has no .hydra/overrides.yaml)")
    # of two values for one key Hydra takes the last; of two for one group it takes none
    changed = {_key(a) for a in _overrides(rest)}
    kept = [a for a in recorded if _key(a) not in changed | {"output"}]
    return [*_config_folder(run, rest), *kept, *rest, f"output={run.absolute()}"]


def _overrides(arguments: list[str]) -> list[str]:
    return [a for a in arguments if "=" in a and not a.startswith("-")]


def _key(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~")


def record_command(run: Path) -> None:
    """Keep the overrides of the job that is running in its folder."""
    if not HydraConfig.initialized() or HydraConfig.get().job.config_name != "train":
        return  # `vgen reproduce` trains too
    hydra = HydraConfig.get()
    with replacing(run / ".hydra" / "overrides.yaml") as partial:
        OmegaConf.save(hydra.overrides.task, partial)
    with replacing(run / ".hydra" / "hydra.yaml") as partial:
        OmegaConf.save({"hydra": hydra}, partial)


def read_config(file: Path) -> dict[str, Any] | None:
    """The resolved configuration of a run; None where there is none that can be read."""
    try:
        saved = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return saved if isinstance(saved, dict) and "run_id" in saved else None


def _recorded(run: Path) -> list[str] | None:
    """The overrides that made the run in this folder."""
    recorded = _read(run / ".hydra" / "overrides.yaml", list)
    return None if recorded is None else [str(override) for override in recorded]


def _read(file: Path, kind: type) -> Any:
    """What a file of YAML holds, None where there is none; ConfigError if it is damaged."""
    if not file.is_file():
        return None
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError):
        found = None
    if not isinstance(found, kind):
        raise ConfigError(
            f"{file} is damaged: give the run's whole command again, with output={file.parent.parent}"
        )
    return found


def _config_folder(run: Path, given: list[str]) -> list[str]:
    """The --config-dir that the run was started with, unless a new one is given."""
    if any(a.startswith(("--config-dir", "-cd")) for a in given):
        return []
    recorded = _read(run / ".hydra" / "hydra.yaml", dict) or {}
    sources = recorded.get("hydra", {}).get("runtime", {}).get("config_sources", [])
    folders = [source["path"] for source in sources if source["provider"] == "command-line"]
    return ["--config-dir", folders[0]] if folders else []


def _newest_unfinished(overrides: list[str]) -> Path | None:
    """The run that these overrides began last and that has not ended."""
    root = next((a.split("=", 1)[1] for a in overrides if a.startswith("paths.root=")), "runs")
    named = next((a.split("=", 1)[1] for a in overrides if a.startswith("output=")), None)
    if named is not None:
        return None  # a folder of its own is continued anyway
    wanted = sorted(overrides)
    found = [
        run
        for run in _folders(Path(root))
        if sorted(a for a in _recorded(run) or [] if _key(a) != "output") == wanted and not is_finished(run)
    ]
    return max(found, key=lambda run: os.path.getmtime(run / ".hydra" / "overrides.yaml"), default=None)


def _folders(root: Path) -> list[Path]:
    """Folders of single runs: runs/<name>/<date>_<time>."""
    stamp = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d$")
    return [run for run in root.glob("*/*") if stamp.search(run.name) and run.is_dir()]
