"""What a packed dataset is made of: videos, the splits they belong to, and the classes of all."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from vgen.data import decode
from vgen.data.isolation import Decoders
from vgen.data.packing import Job
from vgen.data.source import Skipped
from vgen.data.videos import Videos


@dataclass(frozen=True)
class Part:
    """Videos of one split; None: of none, or of those that the plan's lists say."""

    source: Videos
    split: str | None = None


@dataclass(frozen=True)
class Plan:
    """The videos to pack, in order; called with a number, it makes that video's job. It can be pickled.

    Args:
        parts: the videos, read with equal settings.
        lists: split -> names of its videos, or of their arrays' files, where lists tell and not the parts.
    """

    parts: Sequence[Part]
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(part.source.layout.entries) for part in self.parts)

    def __call__(self, number: int) -> Job:
        """Decodes in the process that asks: it is one that may die."""
        part, place = self._part(number)
        return part.source.job(part.source.layout.entries[place], self.size, decode)

    def name(self, number: int) -> str:
        """A video's path, relative to where all lie."""
        part, place = self._part(number)
        return part.source.layout.entries[place].name

    def split(self, number: int) -> str | None:
        part, _ = self._part(number)
        if part.split is not None:
            return part.split
        name = self._listed_as(number)
        return next((split for split, names in self.lists.items() if name in names), None)

    def label(self, number: int) -> int | None:
        part, place = self._part(number)
        label = part.source.layout.entries[place].label
        return None if label is None else self.classes.index(part.source.classes[label])

    @cached_property
    def classes(self) -> list[str]:
        """Of all parts. ValueError if some parts have classes and others have none."""
        every = [part.source.classes for part in self.parts]
        if all(classes == every[0] for classes in every):
            return every[0]
        unlabelled = next((part.split for part in self.parts if not part.source.classes), None)
        if unlabelled is not None:
            raise ValueError(f"the videos of split {unlabelled} have no classes, those of others have")
        return sorted({name for classes in every for name in classes})

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width of all frames."""
        with Decoders() as decoders:
            return self.parts[0].source.frame_size(decoders)

    @property
    def frame(self) -> tuple[int, int, int]:
        return (*self.size, self.parts[0].source.channels)

    @property
    def settings(self) -> dict[str, Any]:
        return self.parts[0].source.settings

    @property
    def strict(self) -> bool:
        """Whether a skipped video is an error."""
        return any(part.source.strict for part in self.parts)

    @property
    def refused(self) -> list[Skipped]:
        """What could not even be looked into."""
        return list(dict.fromkeys(refused for part in self.parts for refused in part.source.layout.refused))

    @cached_property
    def key(self) -> str:
        """Hash of everything that pixels, labels and splits follow from; not of the place where the folders lie."""
        lists = {split: sorted(names) for split, names in self.lists.items()}
        facts = [[[part.split, part.source.key] for part in self.parts], self.classes, lists]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()

    def estimate(self) -> int:
        """Bytes that the frames will take, as far as headers tell."""
        with Decoders() as decoders:
            return sum(part.source.estimate(self.size, decoders) for part in self.parts)

    def describe(self) -> str:
        """What was found, in one line."""
        if len(self.parts) == 1 and self.parts[0].split is None:
            return self.parts[0].source.describe()
        return "; ".join(f"{part.split}: {part.source.describe()}" for part in self.parts)

    def missing(self) -> dict[str, list[str]]:
        """Names in the lists that no video bears."""
        names = {self._listed_as(number) for number in range(len(self))}
        return {split: sorted(listed - names) for split, listed in self.lists.items() if listed - names}

    def _listed_as(self, number: int) -> str:
        """What a list calls a video: a file of arrays stands for all that it holds."""
        part, place = self._part(number)
        entry = part.source.layout.entries[place]
        return entry.files[0] if entry.part is not None else entry.name

    def _part(self, number: int) -> tuple[Part, int]:
        for part in self.parts:
            count = len(part.source.layout.entries)
            if number < count:
                return part, number
            number -= count
        raise IndexError(f"video {number} is beyond the last")
