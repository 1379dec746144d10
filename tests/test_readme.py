"""Every `vgen` command that the README and the YAML headers show composes."""

import re
import shlex
from pathlib import Path

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from vgen.cli.main import COMMANDS
from vgen.cli.quoting import quote_argument
from vgen.cli.report import as_text
from vgen.config import CONF_DIR, plain

ROOT = Path(__file__).parents[1]


def commands() -> list[str]:
    """Command lines in the README's blocks and in the headers of conf/."""
    found = []
    for block in (ROOT / "README.md").read_text().split("```")[1::2]:
        found += [line for line in block.splitlines() if line.startswith("vgen ")]
    for file in sorted(CONF_DIR.rglob("*.yaml")):
        found += re.findall(r"^# (vgen .*)$", file.read_text(), flags=re.MULTILINE)
    return sorted({re.sub(r"\s{2,}(#|\().*$", "", line) for line in found})


def first_value(word: str) -> str:
    """A swept override with the first of its values."""
    override = OverridesParser.create().parse_override(word)
    if not override.is_sweep_override():
        return word
    discrete = override.is_discrete_sweep()
    first = next(iter(override.sweep_string_iterator())) if discrete else override.value().start  # type: ignore[union-attr]
    return f"{override.get_key_element()}={first}"


@pytest.mark.parametrize("line", commands())
def test_command_composes(line: str) -> None:
    words = shlex.split(line)[1:]
    command, words = words[0], words[1:]
    assert command in COMMANDS
    if "--config-dir" in words or "..." in words or command == "COMMAND":
        return  # tests/cli runs the one of the README
    overrides = [quote_argument(w) for w in words if not w.startswith("-")]
    if "-m" in words:
        overrides = [first_value(w) for w in overrides]
    if command == "report":
        overrides = [as_text(w) for w in overrides]
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        config = hydra.compose(
            command, overrides=[*overrides, *(["paths.run=x"] if command == "train" else [])]
        )
    if command == "train" and "data.path=DIR" not in line and "data=videos" not in line:
        config.callback = None  # its monitor is named by the running application
        plain(config)


def test_readme_names_every_option() -> None:
    text = (ROOT / "README.md").read_text()
    for group in ("data", "generator", "discriminator", "loss", "regularizer", "augment", "optimizer", "trainer",
                  "logger", "experiment", "sampler"):  # fmt: skip
        row = next(line for line in text.splitlines() if line.startswith(f"| `{group}` |"))
        for option in (CONF_DIR / group).glob("*.yaml"):
            assert f"`{option.stem}`" in row, f"{group}={option.stem} is not in the README's table"
