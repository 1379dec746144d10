"""How alike the colours of every frame and of the first one are."""

import torch
from torch import Tensor

from vgen.extractor.frames import check_pixels, fingerprint

_VERSION = "histogram 1"  # part of the fingerprint: change it with anything that changes a feature
_PART = 8  # clips whose histograms are held at once


class Histogram:
    """Clip -> "histogram" (B, T): S(t) = sum_i min(h_0(i), h_t(i)), in [0, 1], where S(0) = 1.

    h_t is the joint red-green-blue histogram of frame t with `bins` bins per channel, divided by the number of
    pixels. Takes (B, T, H, W, C) uint8 with C 1 or 3. Source: Brooks et al., Generating Long Videos of Dynamic Scenes
    (arXiv 2206.03429), section 5, with 20 bins.

    Args:
        bins: per channel, 1 to 64.
    """

    name = "histogram"
    roles = ("histogram",)
    min_frames = 2

    def __init__(self, *, bins: int = 20) -> None:
        if not 1 <= bins <= 64:
            raise ValueError(f"extractor.histogram.bins={bins}: expected 1 to 64")
        self.bins = bins
        self.fingerprint = fingerprint(_VERSION, bins=bins)

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        check_pixels(pixels, self.name, frames=self.min_frames)
        return {"histogram": torch.cat([self._similarity(part) for part in pixels.split(_PART)])}

    def _similarity(self, pixels: Tensor) -> Tensor:
        clips, frames, height, width, channels = pixels.shape
        levels = pixels.long() * self.bins // 256
        joint = torch.zeros(levels.shape[:4], dtype=torch.int64, device=pixels.device)
        for channel in levels.unbind(dim=4):
            joint = joint * self.bins + channel
        cells = self.bins**channels
        frame = torch.arange(clips * frames, device=pixels.device)
        counts = torch.bincount(
            (joint.flatten(0, 1).flatten(1) + frame[:, None] * cells).flatten(),
            minlength=clips * frames * cells,
        ).reshape(clips, frames, cells)
        return torch.minimum(counts, counts[:, :1]).sum(dim=2).float() / (height * width)
