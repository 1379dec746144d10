"""vgen reproduce: make a run again from its folder alone, and compare."""

import json
import logging
from pathlib import Path
from typing import Any

import hydra
import yaml
from omegaconf import DictConfig, OmegaConf

from vgen.cli.errors import telling
from vgen.cli.evaluate import evaluate
from vgen.cli.train import train
from vgen.config import CONF_DIR, ConfigError
from vgen.data.storage import absolute
from vgen.files import replacing
from vgen.report.reproduction import compare_run_folders

log = logging.getLogger("vgen")


@hydra.main(config_path=str(CONF_DIR), config_name="reproduce", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("reproduce"):
        reproduce(config)


def reproduce(config: DictConfig) -> None:
    """Train the run in `config.run` again in a new folder; exits with 1 if the numbers differ."""
    original = Path(config.run).expanduser().absolute()
    saved = read_run(original)
    copy = Path(config.output).expanduser().absolute() if config.output else _beside(original)
    if copy == original:
        raise ConfigError(f"output={copy}: that is the run itself; choose another folder")
    settings = DictConfig(moved(saved, original, copy))
    settings.run_id = None
    if config.data_path is not None:
        settings.data.path = absolute(config.data_path)
    OmegaConf.set_struct(settings, True)
    copy.mkdir(parents=True, exist_ok=True)
    log.info("making %s again in %s", original, copy)
    train(settings)
    _evaluate_again(original, copy)
    comparison = compare_run_folders(original, copy, tolerance=config.tolerance)
    with replacing(copy / "reproduction.json") as partial:
        content = {"original": str(original), **comparison.as_dict()}
        partial.write_text(json.dumps(content, indent=2))
    print("\n".join(comparison.lines()))
    print(f"written to {copy / 'reproduction.json'}")
    if not comparison.reproduced:
        raise SystemExit(1)


def _evaluate_again(original: Path, copy: Path) -> None:
    """Ask of the new run what was asked of the original, where it was evaluated."""
    file = original / "metrics.json"
    result = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    request = result.get("request")
    if request is None:
        if result:
            log.warning("%s does not say how it was made: its numbers are not compared", file)
        return
    checkpoint = copy / "checkpoints" / Path(result["fake"]["source"]).name
    evaluate(DictConfig(request | {"checkpoint": str(checkpoint), "output": None}))


def read_run(folder: Path) -> dict[str, Any]:
    """The resolved configuration of a run folder."""
    file = folder / "config.yaml"
    if not file.is_file():
        raise ConfigError(f"run={folder}: no config.yaml there; give the folder of a run of vgen train")
    saved = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(saved, dict) or "paths" not in saved:
        raise ConfigError(f"run={folder}: its config.yaml was not written by vgen train")
    return saved


def moved(value: Any, original: Path, copy: Path) -> Any:
    """`value` with every path inside the original run folder pointing into its copy.

    The folder may have been moved since: what counts is where it was when the run wrote its configuration.
    """
    before = value["paths"]["run"] if isinstance(value, dict) and "paths" in value else str(original)

    def visit(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: visit(child) for key, child in node.items()}
        if isinstance(node, list):
            return [visit(child) for child in node]
        if isinstance(node, str) and (node == before or node.startswith(f"{before}/")):
            return str(copy) + node[len(before) :]
        return node

    return visit(value)


def _beside(original: Path) -> Path:
    """`<run>_again`, or the next free number; an unfinished one is continued."""
    number = 1
    while True:
        copy = original.with_name(f"{original.name}_again" + (f"_{number}" if number > 1 else ""))
        if not (copy / "reproduction.json").exists():
            return copy
        number += 1
