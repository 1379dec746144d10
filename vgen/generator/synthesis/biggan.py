"""Residual blocks under conditional batch norm: the code speaks at every layer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vgen.layer.batch_norm import BatchNorm
from vgen.layer.conditional_norm import ConditionalBatchNorm
from vgen.layer.pyramid import doublings, widths


class BigGAN(nn.Module):
    """Content and motion, side by side -> frames (N, C, size, size) in [-1, 1].

    A linear map of the code to a 4x4 map, then one residual block per doubling: norm, ReLU, doubling (nearest),
    3x3 convolution, norm, ReLU, 3x3 convolution; its shortcut is doubled and passes a 1x1 convolution. All norms
    but the last are conditional on the whole code, as in BigGAN-deep; a label that is part of the code
    (`generator.label_to=synthesis`) thereby gets gains and offsets of its own at every layer.

    Source: BigGAN, Brock et al. 2019, arXiv 1809.11096, appendix B; orthogonal initialisation and spectral norm
    of all convolutions and linear maps as there. Its self-attention layer is left out.

    Args:
        content_dim, motion_dim: widths of the two codes.
        label_dim: width of a one-hot label at the end of the content; 0 for none.
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        base_channels: width of the last block; it doubles with every block inwards.
        max_channels: the width's limit; the paper's is 16 times `base_channels`.
        spectral: spectral norm (one power iteration) on every weight.
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
        max_channels: int = 1024,
        spectral: bool = True,
    ):
        super().__init__()
        code_dim = content_dim + label_dim + motion_dim
        wide, *rest = reversed(widths(doublings(size) + 1, base_channels, max_channels))
        self.state_shape = (wide, 4, 4)
        self.first = nn.Linear(code_dim, 16 * wide)
        blocks = []
        for narrow in rest:
            blocks.append(_Block(wide, narrow, code_dim))
            wide = narrow
        self.blocks = nn.ModuleList(blocks)
        self.norm = BatchNorm(wide)
        self.last = nn.Conv2d(wide, channels, 3, padding=1)
        for layer in [m for m in self.modules() if isinstance(m, nn.Linear | nn.Conv2d)]:
            nn.init.orthogonal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            if spectral:
                spectral_norm(layer)

    def forward(self, content: Tensor, motion: Tensor, state: Tensor | None = None) -> Tensor:
        code = torch.cat([content, motion], 1)
        x = self.first(code).unflatten(1, (-1, 4, 4))
        x = x if state is None else x + state
        for block in self.blocks:
            x = block(x, code)
        return self.last(F.relu(self.norm(x))).tanh()


class _Block(nn.Module):
    """Doubles the frame."""

    def __init__(self, wide: int, narrow: int, code_dim: int):
        super().__init__()
        self.first_norm = ConditionalBatchNorm(wide, code_dim)
        self.first = nn.Conv2d(wide, narrow, 3, padding=1)
        self.second_norm = ConditionalBatchNorm(narrow, code_dim)
        self.second = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.shortcut = nn.Conv2d(wide, narrow, 1)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        y = self.first(_double(F.relu(self.first_norm(x, code))))
        y = self.second(F.relu(self.second_norm(y, code)))
        # A 1x1 convolution and a doubling commute: the cheaper order.
        return y + _double(self.shortcut(x))


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
