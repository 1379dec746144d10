"""vgen report: tables, learning curves and samples of runs as one page."""

from pathlib import Path

import hydra
from omegaconf import DictConfig, ListConfig

from vgen.cli.errors import telling
from vgen.config import CONF_DIR
from vgen.report import write_report


@hydra.main(config_path=str(CONF_DIR), config_name="report", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("report"):
        report(config)


def report(config: DictConfig) -> None:
    """Write the report on `config.runs`."""
    runs = config.runs
    folders = [Path(str(r)) for r in runs] if isinstance(runs, ListConfig) else [Path(str(runs))]
    output = Path(config.output) if config.output else folders[0]
    paths = write_report(folders, output, title=config.title)
    for file in (paths.html, paths.markdown, paths.csv, paths.latex):
        print(file)
