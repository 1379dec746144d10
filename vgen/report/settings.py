"""The settings that make a method, apart from where, on what and under which name it ran."""

import json
from collections.abc import Iterator
from typing import Any

# Where, on what and under which eyes a run ran, not what it computed.
PLUMBING_GROUPS = {
    "paths",
    "logger",
    "hydra",
    "choices",
    "trainer",
    "debug",
    "protocol",
    "extractor",
    "metric",
    "weights",
}
PLUMBING_KEEP = {"trainer.precision"}
PLUMBING_LEAVES = {
    "cache", "cache_dir", "cache_folder", "workers", "num_workers", "pin_memory", "prefetch",
    "prefetch_factor", "persistent_workers", "device", "devices", "output_dir", "dirpath", "log_dir",
    "save_dir", "log_every", "sample_every", "metric_every", "checkpoint_every", "keep_every",
}  # fmt: skip
PLUMBING_CALLBACKS = ("vgen.callback.", "pytorch_lightning.callbacks.ModelCheckpoint")
NAMING_KEYS = {
    "name", "run_name", "experiment", "experiment_name", "task_name", "tags", "notes", "output", "resume", "run_id",
    "best", "sweep", "clip.class_names",
}  # fmt: skip

Flat = dict[str, Any]


def comparable(config: dict[str, Any]) -> Flat:
    """Dotted key -> value of what makes the method: no seed, folders, names and hardware; null is absent."""
    # The resolved config repeats the run's own folder wherever a path was interpolated: undo that.
    paths = config.get("paths")
    named = paths.items() if isinstance(paths, dict) else ()
    folders = sorted(
        ((v, k) for k, v in named if isinstance(v, str) and len(v) > 1), key=lambda x: -len(x[0])
    )
    callbacks = config.get("callback")
    watching = {
        f"callback.{name}"
        for name, node in (callbacks.items() if isinstance(callbacks, dict) else ())
        if isinstance(node, dict) and str(node.get("_target_", "")).startswith(PLUMBING_CALLBACKS)
    }
    flat = {}
    for key, value in leaves(config):
        steps = key.split(".")
        plumbing = steps[0] in PLUMBING_GROUPS or steps[-1] in PLUMBING_LEAVES or key in NAMING_KEYS
        plumbing = plumbing or ".".join(steps[:2]) in watching
        if value is None or steps[-1] == "seed" or (plumbing and key not in PLUMBING_KEEP):
            continue
        if isinstance(value, str):
            for folder, name in folders:
                value = value.replace(folder, f"${{paths.{name}}}")
        flat[key] = value
    return flat


def seeds_of(config: dict[str, Any]) -> dict[str, Any]:
    """Dotted key -> value of every seed, the run's own and those that parts have for themselves."""
    return {key: value for key, value in leaves(config) if key.split(".")[-1] == "seed"}


def choices_of(config: dict[str, Any]) -> dict[str, Any]:
    """Config path -> chosen option(s). Hydra writes a group that sits elsewhere as `group@path`."""
    choices = config.get("choices")
    found = {}
    for group, option in choices.items() if isinstance(choices, dict) else ():
        path = str(group).partition("@")[2] or str(group).replace("/", ".")
        if path.split(".")[0] not in PLUMBING_GROUPS:
            found[path] = option
    return found


def show(value: Any) -> str:
    """A config value in short."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = json.dumps(value, default=str)
    return text if len(text) <= 48 else f"{text[:30]}…{text[-17:]}"


def code(value: Any) -> str:
    """Text that is equal for equal values, also of kinds that cannot be dictionary keys."""
    # 1 and 1.0 are the same setting in YAML files written by different hands.
    value = float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return json.dumps(value, sort_keys=True, default=str)


def leaves(node: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key -> value of everything in a nested mapping; lists are values."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
