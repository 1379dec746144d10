"""A generator that is told something: what it is told becomes a code, which enters it through its latent."""

from collections.abc import Mapping
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from vgen import rng
from vgen.clip import Latent, as_generator, noise_parts, regular_times
from vgen.layer.wrapped import Wrapped

_FAR = 2.0**14  # frames


class Condition(Protocol):
    """Something that a generator is told.

    `shape` (D, h, w) is that of its code. `given_frames` is how many first frames of a real clip it reads, 0 for none.
    `keeps_noise` is False if the code takes the place of the noise that it enters, instead of being added to it: that
    noise is then no part of the latent.
    """

    shape: tuple[int, int, int]
    given_frames: int
    keeps_noise: bool

    def sample(self, batch: int, rng: torch.Generator) -> Latent:
        """Named parts of its own that join the latent, each with first dimension `batch`; often none."""
        ...

    def __call__(self, latent: Latent, times: Tensor) -> Tensor:
        """The code (B, D, h, w), read from the latent's parts "given" and its own, at `times` (B, T)."""
        ...

    def values(self, latent: Latent) -> list[Latent]:
        """`latent` with one of its own parts set to one value after the other, to show what it does; often none."""
        ...

    def finish(self, made: dict[str, Tensor], latent: Latent) -> dict[str, Tensor]:
        """What the generator made, "video" and further parts, with what there is to change or to tell of it."""
        ...


class Conditioned(Wrapped):
    """Any generator, told something by one or several conditions.

    Each code is mapped linearly onto every part of the latent that is floating-point noise of one shape whatever the
    length of the clip ("z", "content", "appearance", a GRU's "motion_start"), and added to it: noise N(0, I) becomes
    N(code, I). A code that is a map also enters, through a 1x1 convolution, the first map of a generator that offers it
    (`state_shape`), which brings the places of things across that a vector can only hint at.

    A design of vgen: prediction with DVD-GAN (Clark et al. 2019, arXiv 1907.06571) starts its recurrence from an
    encoder's map, VGAN (Vondrick et al. 2016, arXiv 1609.02612) both streams, and the others have no such version.

    Args:
        generator: the one to be told.
        conditions: name -> what it is told.
        frames: of the clips to train on; to ask the generator for the shapes of its latent.

    Raises:
        ValueError: its latent has no part that a code could enter.
    """

    def __init__(self, *, generator: nn.Module, conditions: Mapping[str, nn.Module], frames: int):
        super().__init__(generator)
        self.conditions = nn.ModuleDict(conditions)
        self.given_frames = max(condition.given_frames for condition in self._all().values())
        if self.small_size and self.given_frames:
            raise ValueError(
                f"{type(generator).__name__} is given small clips and cannot be given first frames too; "
                "set condition=none"
            )
        self.shapes = _fixed_parts(generator, frames)
        if not self.shapes:
            raise ValueError(
                f"{type(generator).__name__} has no noise of one shape for clips of all lengths, so there is nothing "
                "that a condition could enter; set condition=none, or generator.content_dim where there is one"
            )
        state: tuple[int, int, int] | None = getattr(generator, "state_shape", None)
        self.entries = nn.ModuleDict()
        self.state_entries = nn.ModuleDict()
        for name, condition in self._all().items():
            depth, height, width = condition.shape
            self.entries[name] = nn.ModuleDict(
                {
                    part: nn.Linear(depth * height * width, shape.numel())
                    for part, shape in self.shapes.items()
                }
            )
            if state is not None and state[1:] == (height, width):
                self.state_entries[name] = nn.Conv2d(depth, state[0], 1)

    def _all(self) -> dict[str, Condition]:
        return cast(dict[str, Condition], dict(self.conditions.items()))

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The generator's parts that are read and those of the conditions, without "given", which is not drawn."""
        latent = super().sample_latent(batch, times, rng)
        if not self._keeps_noise():
            replaced = {f"{part}{more}" for part in self.shapes for more in ("", "_mixed", "_path")}
            latent = {name: part for name, part in latent.items() if name not in replaced}
        for condition in self._all().values():
            latent |= condition.sample(batch, rng)
        return latent

    def code_values(self, latent: Latent) -> list[Latent]:
        """`latent` with one value of one of its codes after the other; empty without codes (`vgen.condition.codes`)."""
        return [changed for condition in self._all().values() for changed in condition.values(latent)]

    def check_times(self, times: Tensor) -> None:
        if self.given_frames >= times.shape[1]:
            raise ValueError(
                f"it is given {self.given_frames} frames (condition=frames), so a clip has at least "
                f"{self.given_frames + 1}, not {times.shape[1]}"
            )
        super().check_times(times)

    def decompose(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """Of the generator "video" (B, C, T, H, W) and its further parts, and the parts of the conditions."""
        told = self._told(latent, times)
        decompose = getattr(self.generator, "decompose", None)
        if decompose is None:
            return self._finish({"video": self.generator(told, times, label)}, latent)
        return self._finish(decompose(told, times, label), latent)

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W) in [-1, 1]."""
        video = super().forward(self._told(latent, times), times, label)
        return self._finish({"video": video}, latent)["video"]

    def styles(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Those of the generator within, told what it is told."""
        return super().styles(self._told(latent, times), times, label)

    def _told(self, latent: Latent, times: Tensor) -> Latent:
        """The latent of the generator within."""
        codes = {name: condition(latent, times) for name, condition in self._all().items()}
        told = dict(latent)
        for part, shape in self.shapes.items():
            shifts = [self.entries[name][part](code.flatten(1)) for name, code in codes.items()]  # pyright: ignore[reportIndexIssue]
            shift = torch.stack(shifts).sum(0).unflatten(1, shape)
            if not self._keeps_noise():
                told[part] = shift
            # A second code for later layers, and all contents of a clip whose content changes, are told the same.
            for name, own in ((part, shift), (f"{part}_mixed", shift), (f"{part}_path", shift[:, None])):
                if name in latent:
                    told[name] = latent[name] + own if self._keeps_noise() else own.expand_as(latent[name])
        states = [entry(codes[name]) for name, entry in self.state_entries.items()]
        if states:
            told["state"] = torch.stack(states).sum(0)
        return told

    def _keeps_noise(self) -> bool:
        return all(condition.keeps_noise for condition in self._all().values())

    def _finish(self, made: dict[str, Tensor], latent: Latent) -> dict[str, Tensor]:
        for condition in self._all().values():
            made = condition.finish(made, latent)
        return made


def _fixed_parts(generator: nn.Module, frames: int) -> dict[str, torch.Size]:
    """Name -> shape, without B, of the parts of the noise that do not grow with the number of frames.

    Of those that there are after training as well.
    """
    inner = as_generator(generator)
    clips = [regular_times(1, frames if inner.frames is None else inner.frames)]
    if inner.frames is None:
        clips.append(regular_times(1, 2 * frames))
    if inner.reads_times:  # noise at anchors, of which short clips all need as many
        clips.append(regular_times(1, 2, _FAR))
    was_training = generator.training
    generator.eval()
    drawn = [noise_parts(inner.sample_latent(1, times, rng.generator(0))) for times in clips]
    generator.train(was_training)
    return {
        name: part.shape[1:]
        for name, part in drawn[0].items()
        if part.numel() and all(other[name].shape == part.shape for other in drawn)
    }
