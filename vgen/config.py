"""Where the configuration lives, and the one call that turns it into objects."""

import inspect
import math
import os
import types
import typing
from pathlib import Path
from typing import Any

import hydra
import pydantic
from hydra.errors import InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf

_PACKAGE = Path(__file__).resolve().parent

# The wheel carries conf/ inside the package; a checkout has it beside the package.
CONF_DIR = next(
    (folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if (folder / "train.yaml").is_file()),
    _PACKAGE / "conf",
)


class ConfigError(ValueError):
    """The configuration cannot be used; the message is one line for the user."""


def instantiate(node: Any) -> Any:
    """Build the object that `node` describes with `_target_`; children first.

    Raises ConfigError, naming the key, for a target that does not exist, an argument that it does not take, a
    value of the wrong type, and for whatever ValueError, TypeError or OSError the constructor itself raises.
    """
    _check_signatures(node)
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__ or error
        key = _full_key(node)
        if isinstance(cause, FileNotFoundError):
            raise cause from error
        reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise ConfigError(f"{key}: {reason}" if key and key not in reason else reason) from error


def signature_problem(target: str, arguments: dict[str, Any]) -> str | None:
    """What is wrong with calling the class or function `target` with `arguments`; None if nothing is.

    Unknown names and, for plain annotations (numbers, strings, lists of them, literals), wrong types.
    """
    try:
        called = hydra.utils.get_object(target)
    except Exception as error:
        return f"cannot import {target!r}: {str(error).splitlines()[0]}"
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return None
    parameters = {name: p for name, p in signature.parameters.items() if name != "self"}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    try:
        owner = called.__init__ if inspect.isclass(called) else called
        hints = typing.get_type_hints(owner)
    except Exception:
        hints = {}
    for name, value in arguments.items():
        if name not in parameters:
            if takes_any:
                continue
            return f"{target} takes no argument {name!r}; it takes: {', '.join(parameters)}"
        problem = type_problem(hints[name], value) if name in hints else None
        if problem:
            return f"{name}={value!r}: {problem}"
    return None


def plain(config: Any) -> Any:
    """The resolved configuration as dictionaries, lists, numbers and strings."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


_PLAIN = (int, float, bool, str, type(None))


def _plain_part(annotation: Any) -> Any:
    """The part of an annotation that numbers, strings and lists of them can satisfy; None if there is none.

    Of `float | Tensor` only `float` counts: YAML cannot write a tensor.
    """
    if annotation in _PLAIN or typing.get_origin(annotation) is typing.Literal:
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [part for part in map(_plain_part, typing.get_args(annotation)) if part is not None]
        return typing.Union[tuple(parts)] if parts else None  # noqa: UP007
    arguments = [a for a in typing.get_args(annotation) if a is not Ellipsis]
    return annotation if arguments and all(_plain_part(a) == a for a in arguments) else None


def type_problem(annotation: Any, value: Any) -> str | None:
    """Why `value` cannot be what `annotation` says; None if it can, or if that cannot be told."""
    plain_part = _plain_part(annotation)
    if plain_part is None or (isinstance(value, str) and value == "???"):
        return None
    if isinstance(value, dict) and "_target_" in value:  # it becomes an object
        return None
    try:
        # Strict, since the value is passed on as it is; but YAML has only lists where tuples are asked for.
        strict = not (isinstance(value, list) and "tuple" in str(plain_part).lower())
        pydantic.TypeAdapter(plain_part).validate_python(value, strict=strict)
    except pydantic.ValidationError as error:
        message = error.errors()[0]["msg"]
        return message[0].lower() + message[1:]
    return None


def _check_signatures(node: Any) -> None:
    if isinstance(node, DictConfig | dict):
        target = node.get("_target_")
        if isinstance(target, str):
            arguments = {
                str(k): plain(node[k])
                for k in node
                if not str(k).startswith("_") and not OmegaConf.is_missing(node, k)
            }
            problem = signature_problem(target, arguments)
            if problem:
                raise ConfigError(f"{_full_key(node) or target}: {problem}")
        for key in node:
            if not OmegaConf.is_missing(node, key):
                _check_signatures(node[key])
    elif isinstance(node, ListConfig | list):
        for item in node:
            _check_signatures(item)


def _full_key(node: Any) -> str:
    return str(node._get_full_key(None)) if OmegaConf.is_config(node) else ""


def steps_of(kclips: float, batch: int, d_steps: int) -> int:
    """Generator updates in `kclips` thousand real clips shown to the discriminator, rounded up, at least 1."""
    for value in (kclips, batch, d_steps):
        if isinstance(value, str) or value is None or (value is not kclips and value < 1):
            raise ConfigError(f"kclips={kclips}, batch={batch}, d_steps={d_steps}: expected numbers above 0")
    return max(1, math.ceil(kclips * 1000 / (batch * d_steps)))


def _wandb_offline() -> bool:
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"] in ("offline", "dryrun")
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    return not (os.environ.get("WANDB_API_KEY") or (netrc.is_file() and "wandb" in netrc.read_text()))


def _sweep_folder(overrides: list[str], output: str, otherwise: str) -> str:
    """`output` where the command line gives it; else a folder that swept values cannot change."""
    return output if any(word.startswith("output=") for word in overrides) else otherwise


def _job_type(run: str) -> str:
    """What a job of a multirun is beside its seed, as far as W&B has room; "train" for a single run.

    The names of jobs' folders (vgen.launch.jobs) begin with what is swept. Their end, a checksum, is left out.
    """
    parts = [p for p in Path(run).name.split(",") if "=" in p and not p.startswith("seed=")]
    kind = parts[0][:48] if parts else "train"
    for part in parts[1:]:
        if len(kind) + 1 + len(part) > 48:
            break
        kind += f",{part}"
    return kind


# Registered on import, so that every process that can compose a config can resolve it.
for _name, _function in {
    "steps": steps_of,
    "divided": lambda number, by: number // by,
    "r1_gamma": lambda size, batch: 2e-4 * size**2 / batch,  # StyleGAN2-ADA's heuristic
    "wandb_offline": _wandb_offline,
    "basename": lambda path: Path(path).name,
    "parent_name": lambda path: Path(path).resolve().parent.name,
    "sweep_folder": _sweep_folder,
    "job_type": _job_type,
}.items():
    OmegaConf.register_new_resolver(_name, _function, replace=True)
