"""Code -> frame without any normalisation: R3GAN's generator."""

import torch
from torch import Tensor, nn

from vgen.layer.pyramid import widths
from vgen.layer.r3gan import Basis, ToPixels, stage_count, stages


class R3GANSynthesis(nn.Module):
    """Content and motion, side by side -> frames (N, C, size, size), linear: about [-1, 1], not clamped.

    The code scales a learned 4x4 basis; stages of residual blocks follow, frames doubled between them, and a 1x1
    convolution. No norm, no style, no noise.

    Source: R3GAN, Huang et al. 2024, arXiv 2501.05441; brownvc/R3GAN: R3GAN/Networks.py. Its FFHQ-256 network has
    base_channels 96, FFHQ-64 384, CIFAR-10 768, all up to 768; ImageNet's 1536 with group_width 32.

    Args:
        content_dim, motion_dim: widths of the two codes.
        label_dim: width of a one-hot label at the end of the content; 0 for none.
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        base_channels: width of the last stage; it doubles with every stage inwards.
        max_channels: the width's limit.
        blocks: residual blocks per stage.
        expansion: of the width inside a block.
        group_width: channels in a group of the 3x3 convolutions.
        patch: height and width in pixels of what a position of the last map paints. R3GAN has 1; 2 saves the stage at
            full size, the most costly one.
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
        max_channels: int = 768,
        blocks: int = 2,
        expansion: int = 2,
        group_width: int = 16,
        patch: int = 1,
    ):
        super().__init__()
        outwards = widths(stage_count(size, patch), base_channels, max_channels)[::-1]
        self.state_shape = (outwards[0], 4, 4)
        self.basis = Basis(content_dim + label_dim + motion_dim, outwards[0], (4, 4))
        self.stages = stages(outwards, up=True, blocks=blocks, expansion=expansion, group_width=group_width)
        self.last = ToPixels(outwards[-1], channels, patch)

    def forward(self, content: Tensor, motion: Tensor, state: Tensor | None = None) -> Tensor:
        first = self.basis(torch.cat([content, motion], 1))
        return self.last(self.stages(first if state is None else first + state))
