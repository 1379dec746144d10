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
        self.identity: dict[str, Any] = clips.identity | {"part": part, "bases": bases, "draws": draws}
        self.info: dict[str, Any] = {}

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
    """Full name of each metric that needs the generator -> its extractor, the role it reads, and part -> clips."""
    found = {}
    for metric, extractor in pairs:
        if getattr(metric, "needs_generator", False):
            numbers = {"bases": metric.bases, "draws": metric.draws}
            sets = {part: RedrawnClips(clips, part=part, **numbers) for part in metric.parts}
            found[f"{metric.names[0]}/{extractor.name}"] = extractor, metric.reads, sets
    return found


def redrawn_features(redraws: Redraws, **how: Any) -> dict[str, dict[str, Tensor]]:
    """Full name of a metric -> part -> features (bases, draws, ...); `how` are arguments of `extract`."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, (extractor, role, sets) in redraws.items():
        found[name] = {}
        for part, clips in sets.items():
            features = extract(clips, [extractor], side=f"{part}-redrawn", **how)[extractor.name]
            found[name][part] = features.values[role].unflatten(0, (clips.bases, clips.draws))
    return found
