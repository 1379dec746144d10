"""Instance noise: a little Gaussian noise on what a discriminator sees."""

import torch
from torch import Tensor, nn


class InstanceNoise(nn.Module):
    """Adds N(0, sigma) in training; the identity in evaluation and for sigma 0.

    Draws on the device from torch's default generator, unlike everything else that is random: the noise has
    the size of the activations, and the trainer seeds that generator for every step and process.

    Source: Sonderby et al. 2017, arXiv 1610.04490; MoCoGAN puts it before each convolution.
    """

    def __init__(self, sigma: float):
        super().__init__()
        if sigma < 0:
            raise ValueError(f"noise sigma must be 0 (off) or more, not {sigma}")
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.sigma == 0:
            return x
        return x + self.sigma * torch.randn_like(x)

    def extra_repr(self) -> str:
        return f"sigma={self.sigma}"
