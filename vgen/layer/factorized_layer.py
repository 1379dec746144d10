"""A linear layer on every position, whose matrix a style multiplies entry by entry with one of low rank."""

import math

import torch
from torch import Tensor, nn

from vgen.layer.biased_activation import biased_activation
from vgen.layer.equalized import EqualizedLinear


class FactorizedLayer(nn.Module):
    """x (N, inputs, H, W), w (N, style_dim) -> leaky_relu(W(w) x): (N, outputs, H, W).

    W(w) = weight * (1 + L(w) R(w) / sqrt(rank)), entry by entry, with L (outputs, rank) and R (rank, inputs) affine in
    w; each of its rows is then divided by its length. The matrix is made in full precision.

    Source: INR-GAN, Skorokhodov et al. 2021, arXiv 2011.12026, §3.1 (factorised multiplicative modulation), in the form
    of sihyun-yu/digan: src/training/networks.py.
    """

    def __init__(self, inputs: int, outputs: int, style_dim: int, *, rank: int = 10):
        super().__init__()
        if rank < 1:
            raise ValueError(f"generator.synthesis.rank={rank}: must be at least 1")
        self.rank = rank
        self.style = EqualizedLinear(style_dim, (inputs + outputs) * rank)
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        outputs = len(self.weight)
        with torch.autocast(x.device.type, enabled=False):
            left, right = self.style(w).split([outputs * self.rank, self.weight.shape[1] * self.rank], 1)
            product = left.unflatten(1, (outputs, -1)) @ right.unflatten(1, (self.rank, -1))
            matrix = self.weight * (1 + product / math.sqrt(self.rank))  # (N, outputs, inputs)
            matrix = matrix / (matrix.norm(dim=2, keepdim=True) + 1e-8)
        made = torch.bmm(matrix.to(x.dtype), x.flatten(2)).unflatten(2, x.shape[2:])
        return biased_activation(made, self.bias)
