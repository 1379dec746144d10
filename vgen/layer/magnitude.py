"""How large the numbers of a map are, followed in training, to bring them to magnitude 1."""

import torch
from torch import Tensor, nn

from vgen.layer.processes import over_processes


class MagnitudeGain(nn.Module):
    """x -> the scalar 1 / sqrt(moving average of the mean square of x).

    The average is over the batch of all processes and over the forward passes in training. In evaluation it stands
    still, so that a frame does not depend on others.

    Source: StyleGAN3, Karras et al. 2021, arXiv 2106.12423, §3.1 (config D); decay as in NVlabs/stylegan3:
    training/networks_stylegan3.py.

    Args:
        decay: of the average in a forward pass.
    """

    average: Tensor

    def __init__(self, decay: float = 0.999):
        super().__init__()
        self.decay = decay
        self.register_buffer("average", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x.detach()
            square = over_processes(x.to(torch.promote_types(x.dtype, torch.float32)).square().mean())
            self.average.copy_(square.to(self.average.dtype).lerp(self.average, self.decay))
        return self.average.rsqrt()
