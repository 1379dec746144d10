"""vgen report: tables, learning curves and samples of runs as one page."""

import os
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, ListConfig

from vgen.cli.errors import telling
from vgen.cli.quoting import quoted
from vgen.config import CONF_DIR, ConfigError
from vgen.report import write_report
from vgen.report.swaps import ReadCodes


def application() -> None:
    sys.argv[1:] = [as_text(argument) for argument in sys.argv[1:]]
    _application()


@hydra.main(config_path=str(CONF_DIR), config_name="report", version_base="1.3")
def _application(config: DictConfig) -> None:
    with telling("report"):
        report(config)


def report(config: DictConfig) -> None:
    """Write the report on the runs that `config` names."""
    if config.runs is None and config.wandb is None:
        raise ConfigError("runs=... or wandb=... must be given (vgen report --help)")
    for key in ("group", "sweep", "names"):
        if config.wandb is None and config[key]:
            raise ConfigError(f"{key}={config[key]} chooses runs of W&B: give wandb=ENTITY/PROJECT too")
    if isinstance(config.grid, bool) or not isinstance(config.grid, int) or not 0 <= config.grid <= 8:
        raise ConfigError(f"grid={config.grid}: must be a whole number from 0 (none) to 8")
    folders = [Path(folder) for folder in _texts(config.runs)]
    logged = [] if config.wandb is None else _logged(config)
    logged_as = [Path(source).name for source in _texts(config.wandb)]
    output = Path(config.output or [*folders, *(f"report_{name}" for name in logged_as)][0])
    title = config.title
    if title is None:
        title = ", ".join([*(folder.resolve().name for folder in folders), *logged_as])
    baseline = None if config.baseline is None else str(config.baseline)
    written = write_report(folders + logged, output, title=title, baseline=baseline, codes=_reader(config))
    drawn = [file for file in written.all() if file.parent != output]
    for file in written.all():
        if file not in drawn:
            print(file)
    if drawn:
        print(f"{drawn[0].parent}: {len(drawn)} figures")


def _logged(config: DictConfig) -> list[Path]:
    """Run folders made of what W&B knows."""
    names = _texts(config.names)
    if Path(config.wandb).is_dir():
        from vgen.report.wandb_offline import read_offline

        return read_offline(
            Path(config.wandb), _cache(config), group=config.group, sweep=config.sweep, names=names
        )
    from vgen.report.wandb_project import fetch_project

    return fetch_project(config.wandb, _cache(config), group=config.group, sweep=config.sweep, names=names)


def _cache(config: DictConfig) -> Path:
    return Path(config.cache or os.environ.get("VGEN_WANDB") or "~/.cache/vgen/wandb").expanduser()


def _reader(config: DictConfig) -> ReadCodes | None:
    if not config.grid:
        return None
    from vgen.cli.codes import read_codes  # here, since without it a report needs no torch
    from vgen.cli.load import pick_device

    device = pick_device(config.device)
    return lambda run: read_codes(run, count=config.grid, seed=config.grid_seed, device=device)


def _texts(values: object) -> list[str]:
    """None, one or a list, of names or numbers."""
    listed = values if isinstance(values, ListConfig) else [] if values is None else [values]
    return [str(value) for value in listed]


def as_text(argument: str) -> str:
    """`baseline=...` quoted for Hydra, in whose grammar a row's name (`loss=hinge, lr=0.1`) would not parse."""
    key, _, value = argument.partition("=")
    if key != "baseline" or value in ("", "null") or value[0] in "\"'":
        return argument
    return quoted(key, value)
