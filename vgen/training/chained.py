"""A generator of small clips and one that enlarges them, as one generator."""

import torch
from torch import Tensor, nn

from vgen.clip import GIVEN, Latent, as_generator, small_size
from vgen.layer.wrapped import Wrapped


class Chained(Wrapped):
    """`small` makes the clips that `large` enlarges: a generator like `small`, of larger frames.

    Where `small` reads times, each large frame is made from the small ones at its own time and at up to `context` steps
    before and after, whatever other frames are asked for. So chunks are the same as the whole. Else the first and last
    frame stand for the neighbours that they lack.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429, fig. 2.

    Args:
        small, large: trained generators.
        step: frames of the data between neighbouring frames that `large` was trained on.

    Raises:
        ValueError: `large` enlarges nothing, `small` must be given something, or the sizes or classes do not fit.
    """

    def __init__(self, small: nn.Module, large: nn.Module, *, size: int, step: float = 1.0):
        super().__init__(small)
        wanted = small_size(large)
        if not wanted:
            raise ValueError("it enlarges no clips")
        if wanted != size:
            raise ValueError(f"it enlarges frames of {wanted}x{wanted}, not of {size}x{size}")
        self.large, self.step = large, step
        first, second = as_generator(small), as_generator(large)
        if second.classes not in (0, first.classes):
            raise ValueError(f"it knows {second.classes} classes, not {first.classes}")
        self.context = getattr(large, "context", 0) if first.reads_times else 0
        self.style_shape = None  # each of the two has styles of its own

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts of both."""
        detail = as_generator(self.large).sample_latent(batch, times, rng)
        coarse = super().sample_latent(batch, self._times(times), rng)
        return coarse | detail

    def check_times(self, times: Tensor) -> None:
        super().check_times(self._times(times))

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W), about [-1, 1]."""
        small = super().forward(latent, self._times(times), label)
        return self.large({**latent, GIVEN: small}, times, label)

    def _times(self, times: Tensor) -> Tensor:
        """Those of the small frames: of all neighbours once where frames lie a step apart, else for each frame."""
        if not self.context:
            return times
        reach = self.step * torch.arange(-self.context, self.context + 1, device=times.device)
        if ((times.diff(dim=1) - self.step).abs() < 1e-3).all():
            ends = times[:, :1] + reach[: self.context], times[:, -1:] + reach[self.context + 1 :]
            return torch.cat([ends[0], times, ends[1]], 1)
        return (times[:, :, None] + reach).flatten(1)
