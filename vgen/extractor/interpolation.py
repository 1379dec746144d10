"""How well every other frame follows from its neighbours by motion: the matter of motion smoothness."""

import torch
from torch import Tensor

from vgen.extractor.flow import check_size
from vgen.extractor.frames import check_pixels, fingerprint
from vgen.extractor.grey import grey_frames
from vgen.extractor.lucas_kanade import optical_flow, warp

_VERSION = "interpolation 1"  # part of the fingerprint: change it with anything that changes a feature


class Interpolation:
    """Clip -> "interpolation" (B, (T - 1) // 2): errors of frames 1, 3, 5, ... in grey levels 0 to 255.

    Frame t is predicted halfway along the motion from frame t - 1 to frame t + 1,
    g(x) = (f_(t-1)(x - v(x)/2) + f_(t+1)(x + v(x)/2)) / 2, with v the optical flow between the two, centred at x
    (`vgen.extractor.lucas_kanade`), on grey frames squashed to `size` x `size`; the error is the mean of |f_t - g|.
    VBench does the same at full size with the trained interpolator AMT-S. Takes (B, T, H, W, C) uint8 with T >= 3
    and C 1 or 3. About 20 ms per clip of 16 frames and core.

    Args:
        size: working size in pixels, a power of two.
    """

    name = "interpolation"
    roles = ("interpolation",)
    min_frames = 3

    def __init__(self, *, size: int = 64) -> None:
        check_size(size, "interpolation")
        self.size = size
        self.fingerprint = fingerprint(_VERSION, size=size)

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        check_pixels(pixels, self.name, frames=self.min_frames)
        part = 4 if pixels.device.type == "cpu" else 64
        return {"interpolation": torch.cat([self._errors(clips) for clips in pixels.split(part)])}

    def _errors(self, pixels: Tensor) -> Tensor:
        grey = grey_frames(pixels, self.size)
        count = (grey.shape[1] - 1) // 2
        before, now, after = (
            grey[:, start : start + 2 * count : 2].reshape(-1, 1, self.size, self.size) for start in (0, 1, 2)
        )
        flow = optical_flow(before, after, centred=True)
        guess = (warp(before, -flow / 2) + warp(after, flow / 2)) / 2
        return 255 * (now - guess).abs().mean(dim=(1, 2, 3)).reshape(-1, count)
