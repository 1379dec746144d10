"""Truncation: typical samples for variety, of content and motion apart."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.mapping import MappingNetwork
from vgen.layer.wrapped import Wrapped


class Truncated(Wrapped):
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
        super().__init__(generator)
        for name, value in (("content", content), ("motion", motion)):
            if not 0 <= value <= 1:
                raise ValueError(f"truncation.{name}={value}: must lie between 0 and 1")
        self.motion = motion
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

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        latent = super().sample_latent(batch, times, rng)
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
