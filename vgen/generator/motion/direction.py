"""Motion as one random direction per clip and the time: DIGAN's."""

from typing import Literal

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.label import append_label

# A whole number of ticks, so many to a frame, is no part of the latent that a regulariser would differentiate.
_TICKS = 256


class DirectionMotion(nn.Module):
    """The code of a frame is [z, label, t / span], z ~ N(0, I) one per clip, t its time: any, also negative.

    With begin="window", and in training, a clip's time 0 lies at a random place of the unit of time that leaves room
    for its last frame. In DIGAN two frames lie at the smaller and the larger of u ~ Beta(2, 1) and v ~ Beta(1, 2);
    this is the law of the first one, given how far the two lie apart. In evaluation clips begin at 0.

    What moves is left to the synthesis network, which sees the time as the last number (`generator.synthesis.timed`).

    Source: DIGAN, Yu et al. 2022, arXiv 2202.10571, §3.1; sihyun-yu/digan, where 16 frames are t = 0 to 1.

    Args:
        motion_dim: width of z.
        span: frames that are one unit of time.
        begin: "window" or "zero".
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that joins z; 0 for none.
    """

    frames: int | None = None
    reads_times = True
    moves_content = False

    def __init__(
        self,
        *,
        motion_dim: int = 512,
        span: float = 15.0,
        begin: Literal["window", "zero"] = "zero",
        content_dim: int = 0,
        label_dim: int = 0,
    ):
        super().__init__()
        if begin not in ("window", "zero"):
            raise ValueError(f"generator.motion.begin={begin}: must be window or zero")
        if span <= 0:
            raise ValueError(f"generator.motion.span={span}: must be above 0 frames")
        self.motion_dim = motion_dim
        self.span = span
        self.begin = begin
        self.dim = motion_dim + label_dim + 1

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts "motion_code" (B, motion_dim) and "motion_start" (B,) int64, in 1/256 of a frame."""
        code = torch.randn(batch, self.motion_dim, generator=rng)
        start = torch.zeros(batch)
        if self.begin == "window" and self.training:
            times = times.cpu().expand(batch, -1)
            start = self.span * _place_in_unit((times.amax(1) - times.amin(1)) / self.span, rng)
        return {"motion_code": code, "motion_start": (start * _TICKS).long()}

    def check_times(self, times: Tensor) -> None:
        """Any."""

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        codes = latent["motion_code"][:, None].expand(-1, times.shape[1], -1)
        placed = times + latent["motion_start"][:, None] / _TICKS
        time = (placed / self.span).to(codes.dtype)[:, :, None]
        return torch.cat([append_label(codes, label_code), time], 2)


def _place_in_unit(length: Tensor, rng: torch.Generator) -> Tensor:
    """Where in [0, 1 - length] (B,) a pair begins whose frames lie `length` apart.

    Its density at a is in proportion to 2 a (1 - length - a) + length: a mixture of Beta(2, 2), the middle one of three
    uniform numbers, and the uniform law.
    """
    drawn = torch.rand(len(length), 5, generator=rng)
    room = (1 - length).clamp(min=0)
    arched = drawn[:, 0] * (room.square() + 3 * length) < room.square()
    return room * torch.where(arched, drawn[:, 1:4].median(1).values, drawn[:, 4])
