"""Where things move, without weights: velocity and acceleration at a grid of points."""

import torch
from torch import Tensor

from vgen.extractor.frames import check_pixels, fingerprint
from vgen.extractor.grey import grey_frames
from vgen.extractor.lucas_kanade import optical_flow, sample

_VERSION = "flow 1"  # part of the fingerprint: change it with anything that changes a feature
_SIZES = (16, 32, 64, 128, 256)


class Flow:
    """Clip -> "flow" (B, T - 1, P, P, 4): v_x, v_y, a_x, a_y at P x P points, for the frames t = 0, ..., T - 2.

    v_t(x) is the displacement from frame t to frame t + 1 of what is at point x of frame t: right and down, per frame
    and in units of the shorter side of the frame (0.1 is 6.4 pixels of a 64x64 clip). a_t(x) is
    v_(t+1)(x + v_t(x)) - v_t(x), the change of velocity of the same piece of the scene; it is 0 for the last t, where
    no later velocity is known. Rows are y, columns x; the points are the centres of P x P equal cells.

    The flow is coarse-to-fine Lucas-Kanade on grey frames squashed to `size` x `size`
    (`vgen.extractor.lucas_kanade`), right to a few hundredths of a pixel of that size where texture moves as a whole.
    It is no trained network's: where there is no texture it is 0, thin things that move by more than their own width
    between frames are lost, and it is blurred at the borders of what moves. A change of brightness is no motion. About
    40 ms per clip of 16 frames and core.

    Takes (B, T, H, W, C) uint8 with T >= 2 and C 1 or 3.

    Args:
        size: working size in pixels, a power of two; finer motion and fourfold time for the double.
        points: P.
    """

    name = "flow"
    roles = ("flow",)
    min_frames = 2

    def __init__(self, *, size: int = 64, points: int = 16) -> None:
        check_size(size, "flow")
        if not 1 <= points <= size:
            raise ValueError(f"extractor.flow.points={points}: expected 1 to {size}")
        self.size = size
        self.points = points
        self.fingerprint = fingerprint(_VERSION, size=size, points=points)

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        check_pixels(pixels, self.name, frames=self.min_frames)
        # few clips at a time stay in the processor's cache
        part = 4 if pixels.device.type == "cpu" else 64
        return {"flow": torch.cat([self._motion(clips) for clips in pixels.split(part)])}

    def _motion(self, pixels: Tensor) -> Tensor:
        grey = grey_frames(pixels, self.size)
        clips, pairs = len(grey), grey.shape[1] - 1
        dense = optical_flow(
            grey[:, :-1].reshape(-1, 1, *grey.shape[2:]), grey[:, 1:].reshape(-1, 1, *grey.shape[2:])
        )
        points = self._points(pixels.device)
        velocity = sample(dense, points.expand(len(dense), -1, -1, -1)).unflatten(0, (clips, pairs))
        dense = dense.unflatten(0, (clips, pairs))
        moved = (points + velocity[:, :-1]).flatten(0, 1)
        later = sample(dense[:, 1:].flatten(0, 1), moved).unflatten(0, (clips, pairs - 1))
        acceleration = torch.zeros_like(velocity)
        acceleration[:, :-1] = later - velocity[:, :-1]
        motion = torch.cat(
            [velocity, acceleration], dim=2
        )  # (B, T - 1, 4, P, P), in pixels of the working size
        height, width = pixels.shape[2:4]
        scale = motion.new_tensor([width, height]) / (self.size * min(height, width))
        return (motion * scale.repeat(2)[:, None, None]).permute(0, 1, 3, 4, 2).contiguous()

    def _points(self, device: torch.device) -> Tensor:
        """(2, P, P): x and y of the points in pixels of the working size."""
        at = (torch.arange(self.points, device=device) + 0.5) * (self.size / self.points) - 0.5
        return torch.stack(torch.meshgrid(at, at, indexing="xy"))


def check_size(size: int, name: str) -> None:
    """Raise ValueError unless frames of this size can be halved down to a coarsest level."""
    if size not in _SIZES:
        raise ValueError(f"extractor.{name}.size={size}: choose one of {', '.join(map(str, _SIZES))}")
