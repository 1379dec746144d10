"""Pre-activation residual blocks that halve frames and clips, without norm."""

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualDown(nn.Module):
    """x -> conv(ReLU(conv(ReLU(x)))) + conv1(x), each halved by averaging; for frames (N, C, H, W) or clips.

    Convolutions of the branch have kernel 3 in every dimension. An odd length is rounded up, so that nothing is left
    unseen. The first block of a network has no ReLU at its input, which is an image, and halves before its shortcut.

    Source: Miyato et al. 2018, arXiv 1802.05957, appendix B.4; BigGAN, Brock et al. 2019, arXiv 1809.11096, appendix B.

    Args:
        inputs, outputs: channels.
        clips: x is (B, C, T, H, W).
        halve_space, halve_time: what is halved.
        first: whether x is the image.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        clips: bool = False,
        halve_space: bool = True,
        halve_time: bool = False,
        first: bool = False,
    ):
        super().__init__()
        convolution = nn.Conv3d if clips else nn.Conv2d
        self.first = first
        self.one = convolution(inputs, outputs, 3, padding=1)
        self.two = convolution(outputs, outputs, 3, padding=1)
        same = inputs == outputs and not (halve_space or halve_time)
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1)
        space = 2 if halve_space else 1
        self.window = (2 if halve_time else 1, space, space) if clips else (space, space)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.two(F.relu(self.one(x if self.first else F.relu(x))))
        # A 1x1 convolution and an average commute; the smaller map comes first.
        return self._halve(branch) + self.shortcut(self._halve(x))

    def _halve(self, x: Tensor) -> Tensor:
        if max(self.window) == 1:
            return x
        pool = F.avg_pool2d if x.dim() == 4 else F.avg_pool3d
        return pool(x, self.window, ceil_mode=True)
