"""StyleGAN's mapping network: latent and class -> style code, with the mean of the codes that it has made."""

import torch
from torch import Tensor, nn

from vgen.layer.biased_activation import biased_activation
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.processes import over_processes


class MappingNetwork(nn.Module):
    """z (N, latent_dim), label code (N, label_dim) -> w (N, dim).

    z, and a linear map of the label, are each divided by their root mean square, stand side by side and pass `layers`
    equalised linear layers with leaky ReLU. Always in full precision.

    `average` follows the mean of w over the batch of all processes, in training. With `truncation` t below 1, w becomes
    average + t (w - average): less variety, more typical samples. An attribute rather than an argument, since
    it belongs to sampling: set it on a trained network.

    Source: Karras et al. 2019, arXiv 1812.04948, §2 and appendix B; learning rate, normalisation and decay as in
    StyleGAN2-ADA (NVlabs/stylegan2-ada-pytorch: training/networks.py).

    Args:
        latent_dim, label_dim: either may be 0.
        layers: how many.
        lr_multiplier: of all but the label's map.
        decay: of the average per forward pass in training; None keeps none.
    """

    average: Tensor

    def __init__(
        self,
        latent_dim: int,
        dim: int,
        *,
        label_dim: int = 0,
        layers: int = 2,
        lr_multiplier: float = 0.01,
        decay: float | None = 0.995,
    ):
        super().__init__()
        if layers < 1:
            raise ValueError(f"mapping_layers={layers}: must be at least 1")
        if latent_dim + label_dim < 1:
            raise ValueError("a mapping network needs a latent or a label to map")
        self.latent_dim = latent_dim
        self.embed = EqualizedLinear(label_dim, dim) if label_dim else None
        inputs = [latent_dim + (dim if label_dim else 0)] + [dim] * (layers - 1)
        self.layers = nn.ModuleList(
            EqualizedLinear(width, dim, lr_multiplier=lr_multiplier) for width in inputs
        )
        self.decay = decay
        self.truncation = 1.0
        if decay is not None:
            self.register_buffer("average", torch.zeros(dim))

    def forward(self, z: Tensor | None, label_code: Tensor | None = None) -> Tensor:
        given = z if label_code is None else label_code
        assert given is not None
        with torch.autocast(given.device.type, enabled=False):
            parts = [_normalize(_wide(z))] if z is not None and self.latent_dim else []
            if self.embed is not None:
                assert label_code is not None
                parts.append(_normalize(self.embed(_wide(label_code))))
            w = torch.cat(parts, 1)
            for layer in self.layers:
                w = biased_activation(layer(w), None)
            if self.decay is not None:
                if self.training:
                    self._follow(w.detach(), self.decay)
                if self.truncation != 1:
                    w = self.average.lerp(w, self.truncation)
        return w

    def styles(self, content: Tensor, layers: int) -> Tensor:
        """Latent and, behind it, label code (N, latent_dim + label_dim) -> w (N, layers, dim), alike for all layers."""
        latent, label = content[:, : self.latent_dim], content[:, self.latent_dim :]
        w = self(latent, label if label.shape[1] else None)
        return w[:, None].expand(-1, layers, -1)

    def _follow(self, w: Tensor, decay: float) -> None:
        mean = over_processes(w.mean(0)).to(self.average.dtype)
        self.average.copy_(mean.lerp(self.average, decay))


def _normalize(x: Tensor) -> Tensor:
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
