"""vgen report: tables, learning curves and samples of runs as one page."""

import re
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, ListConfig

from vgen.cli.errors import telling
from vgen.config import CONF_DIR
from vgen.report import write_report


def application() -> None:
    sys.argv[1:] = [as_text(argument) for argument in sys.argv[1:]]
    _application()


@hydra.main(config_path=str(CONF_DIR), config_name="report", version_base="1.3")
def _application(config: DictConfig) -> None:
    with telling("report"):
        report(config)


def report(config: DictConfig) -> None:
    """Write the report on `config.runs`."""
    runs = config.runs
    folders = [Path(str(r)) for r in runs] if isinstance(runs, ListConfig) else [Path(str(runs))]
    output = Path(config.output) if config.output else folders[0]
    baseline = None if config.baseline is None else str(config.baseline)
    for file in write_report(folders, output, title=config.title, baseline=baseline).all():
        print(file)


def as_text(argument: str) -> str:
    """`baseline=...` quoted for Hydra, in whose grammar a row's name (`loss=hinge, lr=0.1`) would not parse."""
    key, _, value = argument.partition("=")
    if key != "baseline" or value in ("", "null") or value[0] in "\"'":
        return argument
    # There backslashes are themselves, but for those before a quote.
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), value)
    return f"baseline='{escaped}'"
