"""No motion: all frames of a clip share one motion code."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.label import append_label


class StaticMotion(nn.Module):
    """One code N(0, I) per clip, the same at all times: what a video model is worth without motion.

    The code is as wide as that of a motion source, so that an ablation changes nothing but the motion.

    Args:
        motion_dim: width of the code.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that is appended to the code; 0 for none.
    """

    frames: int | None = None
    reads_times = True
    moves_content = False

    def __init__(self, *, motion_dim: int = 10, content_dim: int = 0, label_dim: int = 0):
        super().__init__()
        self.motion_dim = motion_dim
        self.dim = motion_dim + label_dim

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "motion_code" (B, motion_dim)."""
        return {"motion_code": torch.randn(batch, self.motion_dim, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        """Any."""

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        codes = latent["motion_code"][:, None].expand(-1, times.shape[1], -1)
        return append_label(codes, label_code)
