"""What an alias-free generator starts from: waves over the plane, which the style turns and shifts."""

import math

import torch
from torch import Tensor, nn

from vgen.layer.equalized import EqualizedLinear


class FourierInput(nn.Module):
    """w (N, style_dim) -> (N, channels, size, size): a learned mix of sines over positions; in full precision.

    Channel c is sin(2 pi (f_c . p + a_c)), p being the position: 1 is the side of a picture, 0 its centre, x to the
    right and y downwards. Frequencies are uniform in the disc of radius `bandwidth` and phases uniform; both are drawn
    once and never trained. An affine map of w, which at first gives the identity, makes (r_c, r_s, t_x, t_y); divided
    by the length of (r_c, r_s) it is a rotation and a translation of the picture: p becomes R (p - t).

    Source: StyleGAN3, Karras et al. 2021, arXiv 2106.12423, §3.1 and appendix F.

    Args:
        size: height and width of the map.
        rate: samples along a picture's side; a map has size / rate of one.
        bandwidth: highest frequency, in periods along a picture's side.
    """

    frequencies: Tensor
    phases: Tensor
    positions: Tensor

    def __init__(self, style_dim: int, channels: int, *, size: int, rate: int, bandwidth: float):
        super().__init__()
        self.size = size
        self.affine = EqualizedLinear(style_dim, 4)
        with torch.no_grad():
            self.affine.weight.zero_()
            assert self.affine.bias is not None
            self.affine.bias[0] = 1.0
        self.weight = nn.Parameter(torch.randn(channels, channels))
        drawn = torch.randn(channels, 2)
        # The length of a pair of normal numbers, as exp(-length^2 / 4), is that of a uniform point of the disc.
        radius = drawn.square().sum(1, keepdim=True)
        self.register_buffer("frequencies", bandwidth * drawn / radius.sqrt() * (-radius / 4).exp())
        self.register_buffer("phases", torch.rand(channels) - 0.5)
        along = (torch.arange(size) + 0.5 - size / 2) / rate
        y, x = torch.meshgrid(along, along, indexing="ij")
        self.register_buffer("positions", torch.stack([x, y]).flatten(1), persistent=False)  # (2, H*W)

    def forward(self, w: Tensor) -> Tensor:
        with torch.autocast(w.device.type, enabled=False):
            given = self.affine(w)
            given = given / given[:, :2].square().sum(1, keepdim=True).sqrt()
            cosine, sine, right, down = given[:, :, None].unbind(1)  # (N, 1) each
            across, along = self.frequencies.T
            turned = torch.stack(
                [across * cosine + along * sine, along * cosine - across * sine], 2
            )  # (N, C, 2)
            phase = self.phases - turned[:, :, 0] * right - turned[:, :, 1] * down  # (N, C)
            angle = turned @ self.positions.to(w.dtype) + phase[:, :, None]  # (N, C, H*W)
            waves = (2 * math.pi * angle).sin()
            mixed = self.weight / math.sqrt(len(self.weight)) @ waves
            return mixed.unflatten(2, (self.size, self.size))
