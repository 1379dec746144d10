"""Neighbouring frames exchange a part of their channels, so that 2-D layers see motion at no cost."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TemporalShift(nn.Module):
    """x (B, T, C, H, W): the first channels come from the frame after, the next ones from the frame before.

    Where there is no such frame stands zero. A clip of one frame stays as it is.

    Source: Lin et al. 2019, arXiv 1811.08383, §3; the share from StyleSV, which shifts 1/8 of the channels each way.

    Args:
        share: of the channels that moves in each direction, 0 to 0.5.
    """

    def __init__(self, share: float = 0.125):
        super().__init__()
        if not 0 <= share <= 0.5:
            raise ValueError(f"shift={share}: the share of channels must lie between 0 and 0.5")
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        moved = int(x.shape[2] * self.share)
        if moved == 0 or x.shape[1] == 1:
            return x
        after, before, rest = x.split([moved, moved, x.shape[2] - 2 * moved], 2)
        after = F.pad(after[:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))
        before = F.pad(before[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
        return torch.cat([after, before, rest], 2)
