"""How much every frame differs from the one before it, and from the first."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.extractor.frames import check_pixels, fingerprint

_VERSION = "change 1"  # part of the fingerprint: change it with anything that changes a feature


class Change:
    """Clip -> "change" (B, T - 1, 3), in grey levels 0 to 255, for the frames t = 1, ..., T - 1:

    - [..., 0]: mean absolute difference of all pixels and channels of frames t and t - 1;
    - [..., 1]: largest absolute difference of frames t and t - 1 among the mean colours of `cells` x `cells` cells;
    - [..., 2]: as [..., 1], of frame t and the first frame.

    A mean over the frame hardly sees a small thing that moves, and sees noise above all; the largest cell sees the
    thing and averages the noise away. Takes (B, T, H, W, C) uint8 with T >= 2, at its own size.

    Args:
        cells: along each side; more give smaller cells, which see smaller things and more noise.
    """

    name = "change"
    roles = ("change",)
    min_frames = 2

    def __init__(self, *, cells: int = 8) -> None:
        if cells < 1:
            raise ValueError(f"extractor.change.cells={cells}: expected 1 or more")
        self.cells = cells
        self.fingerprint = fingerprint(_VERSION, cells=cells)

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        check_pixels(pixels, self.name, frames=self.min_frames)
        video = pixels.float()
        steps = (video[:, 1:] - video[:, :-1]).abs().mean(dim=(2, 3, 4))
        frames = video.permute(0, 1, 4, 2, 3).flatten(0, 1)  # (B T, C, H, W)
        cells = F.adaptive_avg_pool2d(frames, self.cells).unflatten(0, pixels.shape[:2])
        consecutive = (cells[:, 1:] - cells[:, :-1]).abs().amax(dim=(2, 3, 4))
        from_first = (cells[:, 1:] - cells[:, :1]).abs().amax(dim=(2, 3, 4))
        return {"change": torch.stack([steps, consecutive, from_first], dim=2)}
