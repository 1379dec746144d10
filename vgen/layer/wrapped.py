"""A generator around another one."""

from typing import Any

import torch
from torch import Tensor, nn

from vgen.clip import Latent, as_generator, given_frames, levels_of, small_size, style_shape


class Wrapped(nn.Module):
    """A generator that does what the one within does, but for what a subclass says; itself a `vgen.clip.Generator`.

    What only some generators offer (`styles`, `give`, ...) it offers where the one within does.
    """

    def __init__(self, generator: nn.Module):
        super().__init__()
        self.generator = generator
        contract = as_generator(generator)
        self.classes, self.frames, self.reads_times = contract.classes, contract.frames, contract.reads_times
        self.levels = levels_of(generator)
        self.style_shape = style_shape(generator)
        self.given_frames = given_frames(generator)
        self.small_size = small_size(generator)
        self.given_beyond: int = getattr(generator, "given_beyond", 0)
        self.context: int = getattr(generator, "context", 0)

    @property
    def within(self) -> Any:
        """The generator, with all that it offers beyond its contract."""
        return self.generator

    def check_times(self, times: Tensor) -> None:
        self.within.check_times(times)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        return self.within.sample_latent(batch, times, rng)

    def latent_at(self, latent: Latent, known: Tensor, times: Tensor, rng: torch.Generator) -> Latent:
        """Those parts that the generator within can tell for other times; often none."""
        move = getattr(self.generator, "latent_at", None)
        return {} if move is None else move(latent, known, times, rng)

    def code_values(self, latent: Latent) -> list[Latent]:
        """`latent` with one value of one of its codes after the other (`vgen.condition.codes`); often none."""
        vary = getattr(self.generator, "code_values", None)
        return [] if vary is None else vary(latent)

    def give(self, video: Tensor) -> Tensor:
        return self.within.give(video)

    def draw_content(self, batch: int, rng: torch.Generator) -> Tensor:
        return self.within.draw_content(batch, rng)

    def styles(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        return self.within.styles(latent, times, label)

    def style_maps(self) -> list[Tensor]:
        return self.within.style_maps()

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W)."""
        return self.within(latent, times, label)
