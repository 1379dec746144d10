"""TGAN's image generator: slow and fast code enter by projections of their own."""

import torch
from torch import Tensor, nn

from vgen.layer.batch_norm import BatchNorm
from vgen.layer.pyramid import doublings, widths


class TGANSynthesis(nn.Module):
    """Content ("z_slow") and motion ("z_fast") -> frames (N, C, size, size) in [-1, 1].

    Each code is projected to half the channels of a 4x4 map (batch norm, ReLU); then one transposed convolution of
    kernel 4 and stride 2 per doubling, and a 3x3 convolution with tanh. Where there is no separate motion code,
    the content fills the whole map.

    Source: TGAN, Saito et al. 2017, arXiv 1611.06624, §3, and pfnet-research/tgan. Projections and transposed
    convolutions have no bias and batch norms no offset, as in the code's variant for singular value clipping.

    Args:
        content_dim, motion_dim: widths of the two codes.
        label_dim: width of a one-hot label at the end of the content; 0 for none.
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        base_channels: width before the last doubling, which halves it; it doubles with every layer inwards.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        content_dim: int,
        motion_dim: int,
        label_dim: int = 0,
        size: int = 64,
        channels: int = 3,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        narrowest = max(base_channels // 2, 1)
        width, *rest = [*reversed(widths(doublings(size), base_channels, max_channels)), narrowest]
        self.state_shape = (width, 4, 4)
        half = width // 2
        self.from_content = _projection(content_dim + label_dim, width - half if motion_dim else width)
        self.from_motion = _projection(motion_dim, half) if motion_dim else None
        layers: list[nn.Module] = []
        for narrower in rest:
            up = nn.ConvTranspose2d(width, narrower, 4, stride=2, padding=1, bias=False)
            layers += [up, BatchNorm(narrower, shift=False), nn.ReLU(inplace=True)]
            width = narrower
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1), nn.Tanh())

    def forward(self, content: Tensor, motion: Tensor, state: Tensor | None = None) -> Tensor:
        maps = self.from_content(content)
        if self.from_motion is not None:
            maps = torch.cat([maps, self.from_motion(motion)], 1)
        return self.layers(maps if state is None else maps + state)  # (N, C, size, size)


def _projection(code_dim: int, channels: int) -> nn.Sequential:
    """Code -> (N, channels, 4, 4), each entry normalised by itself."""
    values = 16 * channels
    return nn.Sequential(
        nn.Linear(code_dim, values, bias=False),
        BatchNorm(values, shift=False),
        nn.ReLU(inplace=True),
        nn.Unflatten(1, (channels, 4, 4)),
    )
