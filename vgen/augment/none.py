"""No augmentation."""

from torch import nn

from vgen.clip import Clip


class NoAugment(nn.Module):
    """The clip as it is."""

    def forward(self, clip: Clip) -> Clip:
        return clip
