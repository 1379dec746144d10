"""Where the runs of a paper lie: a run's folder bears a hash of what decides its numbers."""

import glob
import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from vgen.launch.manifest import Words, key_of
from vgen.launch.outcome import is_finished
from vgen.report.settings import leaves

# What changes no number of a run. Its length is not here but in `Planned.folder`: a run can be made longer.
PLACE = {
    "output", "resume", "run_id", "paths", "logger", "callback", "trainer", "workers", "prefetch", "choices", "debug",
    "features_cache", "weights", "log_every", "sample_every", "checkpoint_every", "keep_every", "kclips",
}  # fmt: skip


class RunFolders:
    """Where runs lie below `root`. A run that two entries ask for, or that an entry now gone has left, is one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kclips: dict[Path, float] = {}  # of the folders given away

    def place(
        self, entry: str, name: str, config: dict[str, Any], words: Words
    ) -> tuple[Path, tuple[str, ...]]:
        """The folder of a run, and the settings that are newer than the finished run in it."""
        numbers = _deciding(config)
        numbers["precision"] = config["trainer"].get("precision")
        end, asked = f"-{short_hash(numbers)}", config["kclips"]
        own = self.root / entry / f"{name}{end}"
        first = next((f for f in self.kclips if f.name.endswith(end)), None)
        left = next((f for f in sorted(self.root.glob(f"*/*{end}")) if _saved(f)), None)
        folder = own if _saved(own) else first or left or own
        saved = _saved(folder)
        if saved is None and (older := self._older(name, config, words)):
            return older
        # a run can be made longer, not shorter
        if self.kclips.get(folder, asked) != asked or (saved and saved["kclips"] > asked):
            folder = folder.with_name(f"{folder.name},kclips={asked:g}")
        self.kclips[folder] = asked
        return folder, ()

    def _older(self, name: str, config: dict[str, Any], words: Words) -> tuple[Path, tuple[str, ...]] | None:
        """A finished run that lacks nothing but settings which vgen did not have when it was made."""
        for folder in sorted(self.root.glob(f"*/{glob.escape(name)}-*")):
            saved = _saved(folder)
            if saved and saved["kclips"] == config["kclips"] and is_finished(folder):
                added = added_settings(saved, config, words)
                if added is not None:
                    return folder, added
        return None


def added_settings(saved: dict[str, Any], new: dict[str, Any], words: Words) -> tuple[str, ...] | None:
    """Keys that only `new` has, where that is the only difference and they are defaults; None for any other.

    A default is a key of a part that was there before, and that the words of the command line do not name.
    """
    # what a run finds out when it starts
    found = ("clip.classes", "clip.class_names", "data.path", "extractor.")
    old_flat, new_flat = (
        {key: value for key, value in _deciding(config).items() if not key.startswith(found)}
        for config in (saved, new)
    )
    if _data_path(saved) != _data_path(new):
        return None
    if any(new_flat.get(key, KeyError) != value for key, value in old_flat.items()):
        return None
    added = tuple(key for key in new_flat if key not in old_flat)
    named = {key_of(word) for word in words}
    parts = {key.removesuffix("_target_") for key in old_flat if key.endswith("._target_")}
    for key in added:
        inside = any(key.startswith(part) for part in parts) or "." not in key
        if key.endswith("_target_") or not inside or any(f"{key}.".startswith(f"{n}.") for n in named):
            return None
    return added


def _deciding(config: dict[str, Any]) -> dict[str, Any]:
    """Dotted key -> value of what decides the numbers of a run."""
    return {
        key: value
        for key, value in leaves(config)
        if not {key.split(".")[0], key.split(".")[-1]} & (PLACE | {"cache"})
    }


def _data_path(config: dict[str, Any]) -> Path | None:
    path = config["data"].get("path")
    return Path(path).expanduser().absolute() if path else None


def changed_settings(config: dict[str, Any], parent: Path, name: str) -> str:
    """What the newest earlier run of this name had otherwise."""
    earlier = [f for f in parent.glob(f"{glob.escape(name)}-*") if (f / "config.yaml").is_file()]
    if not earlier:
        return ""
    newest = max(earlier, key=lambda folder: (folder / "config.yaml").stat().st_mtime)
    saved = dict(leaves(_saved(newest) or {}))
    new = dict(leaves(config))
    keys = sorted(
        key
        for key in saved.keys() | new.keys()
        if saved.get(key) != new.get(key) and (key.split(".")[0] not in PLACE or key == "kclips")
    )
    # a value written once is repeated wherever it is used: the places with the shortest names say enough
    shown = sorted(keys, key=lambda key: (key.count("."), key))[:3]
    told = [f"{key} {saved.get(key, 'none')} -> {new.get(key, 'none')}" for key in shown]
    return "; ".join(told) + (f"; and {len(keys) - 3} more" if len(keys) > 3 else "")


def _saved(folder: Path) -> dict[str, Any] | None:
    file = folder / "config.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None


def end_of(config: dict[str, Any]) -> float:
    """Thousand clips when the run is finished: whole iterations."""
    return config["trainer"]["max_steps"] * config["batch"] * config["training"]["d_steps"] / 1000


def short_hash(facts: dict[str, Any]) -> str:
    """Eight hex digits."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
