"""Clips of a generator in which one part of the latent is redrawn and the rest stays: what parts do is seen apart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from vgen.clip import Extractor
from vgen.protocol.features import extract
from vgen.training.generated_clips import GeneratedClips


class RedrawnClips:
    """For each of the first `bases` clips of a generator, `draws` clips with `part` redrawn: a `ClipSet`.

    Clip i has base i // draws. Labels and times stay. Other parts have the same bases. What a generator calls
    "motion_start" and "motion_noise" is redrawn together as "motion".

    Raises:
        ValueError: the generator's latent has no such part.
    """

    labels: Tensor | None = None

    def __init__(self, clips: GeneratedClips, *, part: str, bases: int, draws: int) -> None:
        there = list(clips.latents([0], "sample"))
        self.names = [name for name in there if name == part or name.startswith(f"{part}_")]
        if not self.names:
            raise ValueError(f"the generator's latent has no part {part!r}; it has {', '.join(there)}")
        self.clips, self.part, self.bases, self.draws = clips, part, bases, draws
        self.info: dict[str, Any] = {}

    @property
    def identity(self) -> dict[str, Any]:
        return self.clips.identity | {"part": self.part, "bases": self.bases, "draws": self.draws}

    def __len__(self) -> int:
        return self.bases * self.draws

    def read(self, indices: Sequence[int]) -> Tensor:
        """Clips number `indices`: (b, T, H, W, C) uint8."""
        base = [index // self.draws for index in indices]
        latent = self.clips.latents(base, "sample")
        redrawn = self.clips.latents(indices, f"redraw {self.part}")
        latent |= {name: redrawn[name] for name in self.names}
        return self.clips.make(latent, [index % len(self.clips) for index in base])


Redraws = Mapping[str, tuple[Extractor, str, Mapping[str, RedrawnClips]]]


def redraws_of(clips: GeneratedClips, pairs: Iterable[tuple[Any, Extractor]]) -> Redraws:
    """Full name of each metric that needs the generator -> its extractor, the role it reads, and part -> clips.

    Metrics that ask for the same clips get one set of them.
    """
    found, drawn = {}, {}
    for metric, extractor in pairs:
        if not getattr(metric, "needs_generator", False):
            continue
        sets = {}
        for part in metric.parts:
            key = part, metric.bases, metric.draws
            if key not in drawn:
                drawn[key] = RedrawnClips(clips, part=part, bases=metric.bases, draws=metric.draws)
            sets[part] = drawn[key]
        found[f"{metric.names[0]}/{extractor.name}"] = extractor, metric.reads, sets
    return found


def redrawn_features(redraws: Redraws, **how: Any) -> dict[str, dict[str, Tensor]]:
    """Full name of a metric -> part -> features (bases, draws, ...); `how` are arguments of `extract`.

    Each set of clips is generated once, for all extractors that look at it.
    """
    lookers: dict[RedrawnClips, dict[str, Extractor]] = {}
    for extractor, _, sets in redraws.values():
        for clips in sets.values():
            lookers.setdefault(clips, {})[extractor.name] = extractor
    features = {
        clips: extract(clips, extractors.values(), side=f"{clips.part}-redrawn", **how)
        for clips, extractors in lookers.items()
    }
    return {
        name: {
            part: features[clips][extractor.name].values[role].unflatten(0, (clips.bases, clips.draws))
            for part, clips in sets.items()
        }
        for name, (extractor, role, sets) in redraws.items()
    }
