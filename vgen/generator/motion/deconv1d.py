"""Motion codes by transposed convolutions over time, from the content code."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.times import check_equally_spaced


class Deconv1dMotion(nn.Module):
    """TGAN's temporal generator: the content ("z_slow") becomes 16 motion codes ("z_fast") in [-1, 1].

    A transposed convolution of kernel 1, then four of kernel 4 and stride 2, which double one step to 16; batch
    norm and ReLU between, tanh at the end. It has no noise of its own: the content decides the motion.

    Source: TGAN, Saito et al. 2017, arXiv 1611.06624, §3, and pfnet-research/tgan. Convolutions have no
    bias and batch norms no offset, as in the code's variant for singular value clipping.

    Args:
        motion_dim: width of codes.
        base_channels: width of the last two hidden maps; it doubles with each layer inwards (512, 256, 128, 128).
        content_dim: width of the content code that it reads.
        label_dim: width of the label code that joins the content; 0 for none.
    """

    frames: int | None = 16
    reads_times = False
    moves_content = False

    def __init__(
        self, *, content_dim: int, motion_dim: int = 100, base_channels: int = 128, label_dim: int = 0
    ):
        super().__init__()
        self.dim = motion_dim
        width = 4 * base_channels
        layers: list[nn.Module] = [nn.ConvTranspose1d(content_dim + label_dim, width, 1, bias=False)]
        for narrower in (2 * base_channels, base_channels, base_channels, motion_dim):
            up = nn.ConvTranspose1d(width, narrower, 4, stride=2, padding=1, bias=False)
            layers += [BatchNorm(width, shift=False), nn.ReLU(inplace=True), up]
            width = narrower
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """Nothing: the content is its only source."""
        return {}

    def check_times(self, times: Tensor) -> None:
        self._check_length(times)
        check_equally_spaced(times, who="generator/motion=deconv1d")

    def _check_length(self, times: Tensor) -> None:
        if times.shape[1] != self.frames:
            raise ValueError(
                f"generator/motion=deconv1d makes clips of {self.frames} frames only, not of {times.shape[1]}; "
                "set clip.frames=16, or use generator/motion=gru"
            )

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        self._check_length(times)
        slow = latent["content"]
        if label_code is not None:
            slow = torch.cat([slow, label_code], 1)
        return self.layers(slow[:, :, None]).transpose(1, 2)  # (B, 16, dim)
