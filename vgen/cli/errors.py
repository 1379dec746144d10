"""Errors of the user's making, told in one line: what is wrong, where, and what there is to choose from."""

import difflib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vgen.config import CONF_DIR


@contextmanager
def telling(command: str) -> Iterator[None]:
    """Print errors that the user can mend as one line and exit; VGEN_TRACEBACK=1 shows where they came from."""
    try:
        yield
    except KeyboardInterrupt:
        print("vgen: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        line = user_message(error, command)
        if os.environ.get("VGEN_TRACEBACK") == "1" or line is None:
            raise
        print(f"vgen: error: {line}", file=sys.stderr)
        raise SystemExit(1) from None


def user_message(error: BaseException, command: str) -> str | None:
    """One line for errors that the user can mend; None for a defect, which deserves its traceback."""
    text = " ".join(str(error).split())
    if isinstance(error, MissingMandatoryValue):
        key = re.search(r"Missing mandatory value: (\S+)", text) or re.search(r"full_key: (\S+)", text)
        return f"{key[1]}=... must be given (vgen {command} --help)" if key else text
    if text.startswith("Unable to configure handler") and isinstance(error.__cause__, OSError):
        return f"{error.__cause__}; give an output= that can be written to"  # of Hydra's log file
    if isinstance(error, ConfigCompositionException | MissingConfigException):
        return _composition_message(error, text, command)
    if isinstance(error, OmegaConfBaseException | HydraException | yaml.YAMLError):
        return text
    # Imported here, since `vgen --help` should not wait for torch.
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    from vgen.training.scalars import NonFiniteLoss

    if isinstance(error, ValueError | OSError | NonFiniteLoss | MisconfigurationException):
        return text
    if isinstance(error, ImportError):
        return f"{text}; is an extra missing (pip install 'vgen[...]')?"
    return None


def _composition_message(error: BaseException, text: str, command: str) -> str:
    listed = re.search(r"Could not load '(\S+)/(\S+?)'", text)
    if listed:
        group, name = listed[1], listed[2]
        choices = sorted(file.stem for file in (CONF_DIR / group).glob("*.yaml"))
        return f"{group}={name}: no such option; {group} has {', '.join(choices)}{_near(name, choices)}"
    option = re.search(
        r"Could not find '(\S+)/(\S+)' Available options in '\S+': (.*?)(?: Config search path|$)", text
    )
    if option:
        group, name, choices = option[1], option[2], option[3].split()
        return f"{group}={name}: no such option; {group} has {', '.join(choices)}{_near(name, choices)}"
    group = re.search(r"Could not override '([^']+)'\. No match in the defaults list", text)
    if group:
        return f"{group[1]}: no such group{_near(group[1], _known_keys(command, ''))} (vgen {command} --help)"
    key = re.search(r"Could not override '([^']+)'", text)
    cause = " ".join(str(error.__cause__ or "").split())
    if key and ("not in struct" in text or "not in struct" in cause):
        parent, _, name = key[1].rpartition(".")
        siblings = _known_keys(command, parent)
        known = f"; {parent or 'the config'} has {', '.join(siblings)}" if siblings else ""
        return f"{key[1]}: no such key{known}{_near(name, siblings)}"
    return text


def _near(name: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(name, choices, n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def _known_keys(command: str, parent: str) -> list[str]:
    """The keys under `parent` in the command's config with the user's group choices, where those compose."""
    GlobalHydra.instance().clear()
    words = [a for a in sys.argv[1:] if re.match(r"[\w/@.]+=[\w\[\],]+$", a)]
    for overrides in (words, [w for w in words if "." not in w.split("=")[0]], []):
        try:
            with initialize_config_dir(config_dir=str(CONF_DIR), version_base="1.3"):
                config = compose(command, overrides=overrides)
            node = OmegaConf.select(config, parent) if parent else config
            return (
                [str(k) for k in node if not str(k).startswith("_")] if isinstance(node, DictConfig) else []
            )
        except Exception:
            GlobalHydra.instance().clear()
    return []
