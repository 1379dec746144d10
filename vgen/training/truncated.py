"""Truncation: typical samples for variety, of content and motion apart."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent, as_generator, given_frames, small_size, style_shape
from vgen.layer.mapping import MappingNetwork


class Truncated(nn.Module):
    """A trained generator whose codes lie nearer to their means; itself a `Generator`.

    `content` below 1 moves every style w towards the mean one: w_mean + content * (w - w_mean), where w_mean is `mean`
    (w_dim,) or, without it, what the mapping network has tracked in training. Styles that a latent holds itself ("w")
    are moved in the same way. `motion` below 1 shortens the noise of the motion, whose mean is 0. Labels stay.

    Source: Karras et al. 2019, arXiv 1812.04948, appendix B, for w; shorter noise after Brock et al. 2019, arXiv
    1809.11096, §3.1, but scaled instead of drawn again.

    Raises:
        ValueError: a content below 1 for a generator without a mean w, or a motion for one without a latent of its own.
    """

    def __init__(
        self, generator: nn.Module, *, content: float = 1.0, motion: float = 1.0, mean: Tensor | None = None
    ):
        super().__init__()
        for name, value in (("content", content), ("motion", motion)):
            if not 0 <= value <= 1:
                raise ValueError(f"truncation.{name}={value}: must lie between 0 and 1")
        self.generator = generator
        self.motion = motion
        contract = as_generator(generator)
        self.classes, self.frames, self.reads_times = contract.classes, contract.frames, contract.reads_times
        self.given_frames = given_frames(generator)
        self.small_size = small_size(generator)
        maps = [m for m in generator.modules() if isinstance(m, MappingNetwork) and m.decay is not None]
        if content != 1 and not maps:
            raise ValueError(
                f"truncation.content={content}: this generator has no mapping network with a mean w"
            )
        for mapping in maps:
            mapping.truncation = content
            if mean is not None:
                mapping.average.copy_(mean)
        self.content = content
        self.means = [mapping.average for mapping in maps]
        self.style_shape = style_shape(generator)

    def check_times(self, times: Tensor) -> None:
        as_generator(self.generator).check_times(times)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        latent = as_generator(self.generator).sample_latent(batch, times, rng)
        if "w" in latent and self.content != 1:
            latent["w"] = self.means[0].to(latent["w"]).lerp(latent["w"], self.content)
        if self.motion == 1:
            return latent
        moving = [n for n, part in latent.items() if n.startswith("motion") and part.is_floating_point()]
        if not moving:
            raise ValueError(
                f"truncation.motion={self.motion}: this generator's latent has no motion, but {', '.join(latent)}"
            )
        return latent | {name: latent[name] * self.motion for name in moving}

    def code_values(self, latent: Latent) -> list[Latent]:
        """As of the generator within (`vgen.condition.conditioned`); empty for one without codes."""
        vary = getattr(self.generator, "code_values", None)
        return [] if vary is None else vary(latent)

    def give(self, video: Tensor) -> Tensor:
        """As of the generator within, if it enlarges clips (`vgen.clip.Generator`)."""
        return self.generator.give(video)  # pyright: ignore[reportCallIssue]

    def styles(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        return self.generator.styles(latent, times, label)  # pyright: ignore[reportCallIssue]

    def style_maps(self) -> list[Tensor]:
        return self.generator.style_maps()  # pyright: ignore[reportCallIssue]

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        return self.generator(latent, times, label)
