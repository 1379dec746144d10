"""Waves over the positions of a frame, whose directions, lengths and phases a style and a motion set."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.layer.biased_activation import biased_activation
from vgen.layer.equalized import EqualizedLinear


class CoordinateWaves(nn.Module):
    """w (N, w_dim), motion (N, motion_dim) -> sin and cos of sqrt(10) A(w) (x, y) + b(w, motion): (N, 2 waves, H, W).

    A(w) is a matrix (waves, 2); x and y run over [-1, 1), y upwards. The phase is an affine map of w plus
    MLP(leaky_relu(speed * t * affine([w, v]))), v being the motion and t = 1. With `timed` the motion's last number is
    t and the rest v: that is how time enters DIGAN. Without motion there is no second part. In full precision.

    Source: DIGAN, Yu et al. 2022, arXiv 2202.10571, §3.1; sihyun-yu/digan: src/training/layers.py.

    Args:
        size: H and W.
        waves: how many.
        speed: factor of the time.
    """

    positions: Tensor

    def __init__(
        self,
        w_dim: int,
        motion_dim: int,
        *,
        size: int,
        waves: int = 128,
        speed: float = 0.25,
        timed: bool = False,
    ):
        super().__init__()
        if timed and motion_dim < 1:
            raise ValueError(
                "generator.synthesis.timed=true needs a motion whose last number is the time; set it to false"
            )
        self.waves, self.speed, self.timed = waves, speed, timed
        self.dim = 2 * waves
        self.still = EqualizedLinear(w_dim, 3 * waves)  # a direction and a phase for each wave
        self.moving = self.shift = self.shift_out = None
        if motion_dim:
            self.moving = EqualizedLinear(w_dim + motion_dim - timed, waves)
            self.shift, self.shift_out = EqualizedLinear(waves, waves), EqualizedLinear(waves, waves)
        along = 2 * torch.arange(size) / size - 1
        y, x = torch.meshgrid(along.flip(0), along, indexing="ij")
        self.register_buffer("positions", torch.stack([x, y]).flatten(1), persistent=False)  # (2, H*W)

    def forward(self, w: Tensor, motion: Tensor) -> Tensor:
        size = math.isqrt(self.positions.shape[1])
        with torch.autocast(w.device.type, enabled=False):
            made = self.still(w)
            directions = math.sqrt(10) * made[:, : 2 * self.waves].unflatten(1, (-1, 2))  # (N, waves, 2)
            phase = made[:, 2 * self.waves :] + self._moved(w, motion.to(w.dtype))
            angle = directions @ self.positions.to(w.dtype) + phase[:, :, None]  # (N, waves, H*W)
            return torch.cat([angle.sin(), angle.cos()], 1).unflatten(2, (size, size))

    def style_maps(self) -> list[EqualizedLinear]:
        """The affine maps that read w, as the first of their inputs."""
        return [self.still] if self.moving is None else [self.still, self.moving]

    def _moved(self, w: Tensor, motion: Tensor) -> Tensor | float:
        if self.moving is None or self.shift is None or self.shift_out is None:
            return 0.0
        time = motion[:, -1:] if self.timed else 1.0
        given = torch.cat([w, motion[:, : motion.shape[1] - self.timed]], 1)
        moved = F.leaky_relu(self.moving(given) * time * self.speed, 0.01)
        return self.shift_out(biased_activation(self.shift(moved), None))
