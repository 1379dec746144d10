"""Motion as one random direction per clip and the time: DIGAN's."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.label import append_label


class DirectionMotion(nn.Module):
    """The code of a frame is [z, label, t / span], z ~ N(0, I) one per clip, t its time: any, also negative.

    What moves is left to the synthesis network, which sees the time as the last number (`generator.synthesis.timed`).

    Source: DIGAN, Yu et al. 2022, arXiv 2202.10571, §3.1; sihyun-yu/digan, where 16 frames are t = 0 to 1.

    Args:
        motion_dim: width of z.
        span: frames that are one unit of time.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that joins z; 0 for none.
    """

    frames: int | None = None
    reads_times = True
    moves_content = False

    def __init__(
        self, *, motion_dim: int = 512, span: float = 15.0, content_dim: int = 0, label_dim: int = 0
    ):
        super().__init__()
        if span <= 0:
            raise ValueError(f"generator.motion.span={span}: must be above 0 frames")
        self.motion_dim = motion_dim
        self.span = span
        self.dim = motion_dim + label_dim + 1

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "motion_code" (B, motion_dim)."""
        return {"motion_code": torch.randn(batch, self.motion_dim, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        """Any."""

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        codes = latent["motion_code"][:, None].expand(-1, times.shape[1], -1)
        time = (times / self.span).to(codes.dtype)[:, :, None]
        return torch.cat([append_label(codes, label_code), time], 2)
