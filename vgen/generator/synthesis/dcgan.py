"""Code -> frame by transposed convolutions."""

import torch
from torch import Tensor, nn

from vgen.layer.batch_norm import BatchNorm
from vgen.layer.pyramid import doublings, widths
from vgen.layer.recompute import run_stages


class DCGAN(nn.Sequential):
    """Content (N, Zc) and motion (N, Zm), side by side -> frames (N, C, size, size) in [-1, 1].

    A 4x4 transposed convolution to a 4x4 map, then one of kernel 4 and stride 2 per doubling; batch norm and
    ReLU between, tanh at the end, no biases. Weights start as torch starts them, as in MoCoGAN's code.

    Source: DCGAN, Radford et al. 2016, arXiv 1511.06434, in the form that MoCoGAN (2018) uses.

    Args:
        content_dim, motion_dim: widths of the two codes.
        label_dim: width of a one-hot label at the end of the content; 0 for none.
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        base_channels: width before the last layer; it doubles with every layer inwards.
        max_channels: the width's limit.
        checkpointing: keep less for the backward pass and compute it again (`vgen.layer.recompute`).
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
        checkpointing: bool = False,
    ):
        width, *rest = reversed(widths(doublings(size), base_channels, max_channels))
        first = nn.ConvTranspose2d(content_dim + label_dim + motion_dim, width, 4, bias=False)
        layers = [first, BatchNorm(width), nn.ReLU(inplace=True)]
        for narrower in rest:
            up = nn.ConvTranspose2d(width, narrower, 4, stride=2, padding=1, bias=False)
            layers += [up, BatchNorm(narrower), nn.ReLU(inplace=True)]
            width = narrower
        last = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1, bias=False)
        super().__init__(*layers, last, nn.Tanh())
        self.state_shape = (first.out_channels, 4, 4)
        self.checkpointing = checkpointing

    def forward(self, content: Tensor, motion: Tensor, state: Tensor | None = None) -> Tensor:
        code = torch.cat([content, motion], 1)[:, :, None, None]
        first, *rest = self
        if state is None:
            return run_stages(nn.Sequential(first, *rest), code, checkpointing=self.checkpointing)
        return run_stages(nn.Sequential(*rest), first(code) + state, checkpointing=self.checkpointing)
