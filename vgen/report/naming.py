"""Names for configurations among others: what differs, in the words of their components."""

from collections.abc import Sequence
from typing import Any

from vgen.report.settings import Flat, choices_of, code, comparable, show

Factor = tuple[str, str]
LONGEST = 4  # factors in a name, if fewer tell as much
IMPLIED = {"data_fingerprint"}


def name_configs(configs: Sequence[dict[str, Any]]) -> tuple[list[str], list[dict[str, str]]]:
    """For each configuration its name among the others ("" if nothing differs) and all keys that differ."""
    factors, differences = find_factors(configs)
    return [name_of(own) for own in telling_factors(factors)], differences


def name_of(factors: Sequence[Factor]) -> str:
    return ", ".join(f"{key}={label}" for key, label in factors)


def telling_factors(parts: Sequence[Sequence[Factor]]) -> list[list[Factor]]:
    """Of the factors of each configuration those that a name needs.

    Up to LONGEST all of them are its name, but for those of IMPLIED that the others decide. Of more, as many as tell
    all configurations apart: again and again the one that parts most, whole components before their keys.
    """
    keys = list(dict.fromkeys(key for part in parts for key, _ in part))
    own = [dict(part) for part in parts]

    def groups(chosen: Sequence[str]) -> int:
        return len({tuple(part.get(key) for key in chosen) for part in own})

    kept = [key for key in keys if key not in IMPLIED]
    if groups(kept) < groups(keys):
        kept = keys
    if len(kept) > LONGEST:
        needed, kept = groups(kept), []
        while groups(kept) < needed:
            parting = [key for key in keys if groups([*kept, key]) > groups(kept)]
            kept.append(
                max(
                    parting,
                    key=lambda key: (
                        all(key in part for part in own),
                        "." not in key,
                        groups([*kept, key]),
                        key == "generator",
                        -keys.index(key),
                    ),
                )
            )
    return [[factor for factor in part if factor[0] in kept] for part in parts]


def find_factors(configs: Sequence[dict[str, Any]]) -> tuple[list[list[Factor]], list[dict[str, str]]]:
    """For each configuration what its name says, as key and label, and all keys that differ.

    Where a component differs (`_target_`, or the option that `choices` names) the name says
    `generator=mocogan` and not each key below it; such a key is named only if it differs between
    configurations with the same component.
    """
    flats = [comparable(config) for config in configs]
    keys = list(dict.fromkeys(key for flat in flats for key in flat))
    differing = [key for key in keys if len({code(flat.get(key)) for flat in flats}) > 1]
    tree = _Components(flats, [choices_of(config) for config in configs])

    parts: list[list[Factor]] = [[] for _ in configs]
    for path in tree.named(differing):
        for part, label in zip(parts, tree.labels(path), strict=True):
            part.append((path, label))
    for key in _without_copies([key for key in differing if tree.says_something(key)], flats):
        for i, (part, flat) in enumerate(zip(parts, flats, strict=True)):
            if tree.applies(key, i):
                part.append((key, show(flat[key]) if key in flat else "none"))
    differences = [{key: show(flat[key]) if key in flat else "none" for key in differing} for flat in flats]
    return parts, differences


class _Components:
    """What several configurations have as whole components: a `_target_` or a config group's option."""

    def __init__(self, flats: list[Flat], choices: list[dict[str, Any]]) -> None:
        self.flats = flats
        targets = {
            key.removesuffix("._target_") for flat in flats for key in flat if key.endswith("._target_")
        }
        # A config that does not say its choices cannot be compared by them.
        self.choices = choices if all(choices) else [{} for _ in choices]
        terms = _named_terms(flats, targets)
        self.choices = [named | choice for named, choice in zip(terms, self.choices, strict=True)]
        chosen = {path for choice in self.choices for path in choice}
        self.lists = {path for path in chosen if any(isinstance(c.get(path), list) for c in self.choices)}
        self.paths = sorted(targets | chosen, key=lambda path: (path.count("."), path))

    def identity(self, path: str, i: int) -> tuple[Any, Any]:
        """Option and class of component `path` in configuration i; a list of options is no component."""
        option = None if path in self.lists else self.choices[i].get(path)
        return option, self.flats[i].get(f"{path}._target_")

    def named(self, differing: list[str]) -> list[str]:
        """Components that the name must mention, outermost first."""
        paths = []
        for path in self.paths:
            if not any(key.startswith(f"{path}.") for key in differing):
                continue
            above = [p for p in self.paths if path.startswith(f"{p}.")]
            kinds = [
                (
                    [self.identity(p, i) for p in above],
                    [self.choices[i].get(p) for p in above if p in self.lists],
                )
                for i in range(len(self.flats))
            ]
            own = [
                code(self.choices[i].get(path)) + code(self.identity(path, i)) for i in range(len(self.flats))
            ]
            if _differ_within(kinds, own):
                paths.append(path)
        return paths

    def says_something(self, key: str) -> bool:
        """Whether `key` differs between configurations whose components around it are the same."""
        return _differ_within(self._around(key), [code(flat.get(key)) for flat in self.flats])

    def applies(self, key: str, i: int) -> bool:
        """Whether configuration i has `key`, or the same components around it as one that has."""
        kinds = [code(kind) for kind in self._around(key)]
        return any(key in flat and kind == kinds[i] for flat, kind in zip(self.flats, kinds, strict=True))

    def _around(self, key: str) -> list[list[tuple[Any, Any]]]:
        """For each configuration the identities of the components that `key` is part of."""
        around = [path for path in self.paths if key.startswith(f"{path}.")]
        return [[self.identity(path, i) for path in around] for i in range(len(self.flats))]

    def labels(self, path: str) -> list[str]:
        """What to call component `path` in each configuration: its option, else enough of its class."""
        identities = [code(self.identity(path, i)) for i in range(len(self.flats))]
        targets = [str(flat.get(f"{path}._target_") or "none") for flat in self.flats]
        attempts = [
            [target.split(".")[-1] for target in targets],
            [".".join(t.split(".")[-2:]) for t in targets],
        ]
        if any(path in choice for choice in self.choices):
            attempts.insert(0, [_option(choice.get(path)) for choice in self.choices])
        for labels in attempts:
            if not _differ_within(labels, identities):
                return labels
        return targets


def _named_terms(flats: list[Flat], targets: set[str]) -> list[dict[str, list[str]]]:
    """For each configuration: group -> the terms it holds, for groups such as `regularizer` that hold several.

    Hydra does not record which options of such a group were chosen.
    """
    groups = {path.split(".")[0] for path in targets if path.count(".") == 1} - targets
    return [
        {
            group: [
                key.split(".")[1]
                for key in flat
                if key.startswith(f"{group}.") and key.endswith("._target_") and key.count(".") == 2
            ]
            for group in groups
        }
        for flat in flats
    ]


def _option(choice: Any) -> str:
    chosen = choice if isinstance(choice, list) else [choice]
    return "+".join(str(option) for option in chosen if option is not None) or "none"


def _differ_within(kinds: Sequence[Any], values: Sequence[Any]) -> bool:
    """Whether two entries of the same kind have different values."""
    first: dict[str, Any] = {}
    return any(first.setdefault(code(k), value) != value for k, value in zip(kinds, values, strict=True))


def _without_copies(keys: list[str], flats: list[Flat]) -> list[str]:
    """Leave out keys that repeat a fact written once for all (`clip.size`, or a key of the top level)."""
    facts = [key for key in keys if "." not in key or key.startswith("clip.")]

    def copied(key: str) -> bool:
        return any(
            key not in facts
            and fact.split(".")[-1] == key.split(".")[-1]
            and all(key not in flat or code(flat[key]) == code(flat.get(fact)) for flat in flats)
            for fact in facts
        )

    return facts + [key for key in keys if key not in facts and not copied(key)]
