"""Content that changes for ever."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent, style_shape
from vgen.layer.content_path import draw_path
from vgen.layer.wrapped import Wrapped


class Changing(Wrapped):
    """A trained generator whose clips change their content as long as they last; itself a `vgen.clip.Generator`.

    The styles of a clip go straight from those of one drawn content to those of the next, `distance` frames later, and
    so on (`draw_path`); its motion is what it is without. Any stretch of its endless clip can be made by itself.

    Source: StyleSV, Zhang et al. 2023 (genforce/StyleSV: src/scripts/generate.py, `--interp`), which has one way.

    Raises:
        ValueError: a generator whose layers take no styles, or no distance.
    """

    def __init__(self, generator: nn.Module, *, distance: float):
        super().__init__(generator)
        if distance <= 0:
            raise ValueError(f"content_distance={distance}: must be more than 0 frames")
        if style_shape(generator) is None:
            raise ValueError(
                f"content_distance={distance}: this generator has no style for each of its layers, whose content "
                "could change (generator/synthesis=stylegan2|stylegan3|inr have)"
            )
        self.distance = distance
        self.style_shape = None  # a clip has no one style for a layer

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts of the generator within, "content_path" and "content_path_times"."""
        path = draw_path(self.draw_content, times, rng, batch=batch, distance=self.distance)
        return super().sample_latent(batch, times, rng) | path
