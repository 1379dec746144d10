"""Clips of a generator as a set: each depends on its number alone, and none is made twice without need."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from toy import FRAMES, ToyGenerator

from vgen.training import generated_clips
from vgen.training.generated_clips import GeneratedClips
from vgen.training.redrawn_clips import redrawn_features, redraws_of
from vgen.training.sampling import generate_clips

TIMES = torch.arange(FRAMES).float()


class TwoParts(ToyGenerator):
    """Counts the clips that it makes; content shifts what motion draws."""

    made = 0

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        return {name: torch.randn(batch, 3, generator=rng) for name in ("content", "motion")}

    def forward(self, latent: Any, times: Tensor, label: Tensor | None = None) -> Tensor:
        self.made += len(times)
        return super().forward({"z": latent["motion"] + 10 * latent["content"]}, times)


class Means:
    """Mean colour, times a factor: two extractors that look at the same clips."""

    roles = ("clip",)
    min_frames = 1

    def __init__(self, name: str, factor: float) -> None:
        self.name, self.fingerprint, self.factor = name, name, factor

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        return {"clip": self.factor * pixels.float().mean(dim=(1, 2, 3))}


def test_a_clip_depends_on_its_number_alone() -> None:
    clips = GeneratedClips(ToyGenerator().train(), count=7, times=TIMES, seed=3)
    every = clips.read(range(7))
    assert torch.equal(clips.read([5, 2]), every[[5, 2]])
    for batch in (1, 3, 7):
        made = generate_clips(clips.generator, count=7, times=TIMES, labels=None, seed=3, batch=batch)
        assert torch.equal(torch.cat(list(made)), every)
    assert clips.generator.training
    assert not torch.equal(
        GeneratedClips(clips.generator, count=7, times=TIMES, seed=4).read(range(7)), every
    )


def test_weights_are_hashed_when_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(generated_clips, "weights_hash", lambda weights: asked.append(1) or "hash")
    clips = GeneratedClips(ToyGenerator(), count=2, times=TIMES)
    clips.read([0, 1])
    assert not asked
    assert clips.identity is clips.identity
    assert asked == [1]


def test_redrawn_clips_are_made_once_for_all_extractors() -> None:
    generator = TwoParts()
    metric = SimpleNamespace(
        names=("parts",), reads="clip", needs_generator=True, parts=("content", "motion"), bases=4, draws=3
    )
    other = SimpleNamespace(names=("other",), reads="clip", needs_generator=False)
    single, double = Means("single", 1.0), Means("double", 2.0)
    redraws = redraws_of(
        GeneratedClips(generator, count=5, times=TIMES), [(metric, single), (other, single), (metric, double)]
    )
    found = redrawn_features(redraws, batch=5)
    assert set(found) == {"parts/single", "parts/double"}
    assert generator.made == 2 * 4 * 3
    for part in ("content", "motion"):
        assert found["parts/single"][part].shape == (4, 3, 1)
        torch.testing.assert_close(2 * found["parts/single"][part], found["parts/double"][part])
    assert not torch.equal(found["parts/single"]["content"], found["parts/single"]["motion"])
