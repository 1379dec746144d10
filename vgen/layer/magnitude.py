"""Activations divided by their usual size, as a moving average knows it."""

import torch
from torch import Tensor, nn

from vgen.layer.processes import over_processes


class MagnitudeAverage(nn.Module):
    """x -> x / sqrt(m), m following the mean square of x over the batch of all processes.

    m is 1 at first, moves by 1 - `decay` at every forward pass in training, and stands still in evaluation. No gradient
    passes through it.

    Source: Karras et al. 2021, arXiv 2106.12423, appendix E ("EMA-based normalization"); the published codes move m
    with the fakes of the discriminator step alone.
    """

    magnitude: Tensor

    def __init__(self, decay: float = 0.999):
        super().__init__()
        self.decay = decay
        self.register_buffer("magnitude", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            wide = x.detach().to(torch.promote_types(x.dtype, torch.float32))
            square = over_processes(wide.square().mean()).to(self.magnitude.dtype)
            self.magnitude.copy_(square.lerp(self.magnitude, self.decay))
        return x * self.magnitude.rsqrt().to(x.dtype)
