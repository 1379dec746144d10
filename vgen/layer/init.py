"""Weight initialisers of the papers."""

import math

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd


def init_normal(module: nn.Module, *, std: float = 0.01, gain_std: float = 0.02) -> None:
    """Weights N(0, std), batch-norm gains N(1, gain_std), all biases 0 (VGAN, Vondrick et al. 2016).

    Draws from torch's default generator, as torch's own initialisers do: seed it before building a network.
    """
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            if layer.weight is not None:
                nn.init.normal_(layer.weight, 1.0, gain_std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, _ConvNd | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_orthogonal(module: nn.Module) -> None:
    """Weights of convolutions, linear layers and embeddings orthogonal, biases 0 (BigGAN, Brock et al. 2019).

    Call it before weights are reparametrised. Draws from torch's default generator.
    """
    for layer in module.modules():
        if isinstance(layer, _ConvNd | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(layer.weight)
            if getattr(layer, "bias", None) is not None:
                nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]


def init_both_fans(module: nn.Module) -> None:
    """Weights of convolutions uniform, of variance 4 / (fan in + fan out), biases 0 (bernhard2202/improved-video-gan:
    utils/layers.py).

    The fan out is divided by the strides, and so it is for transposed convolutions. Draws from torch's default
    generator.
    """
    for layer in module.modules():
        if isinstance(layer, _ConvNd):
            kernel = math.prod(layer.kernel_size)
            fans = layer.in_channels * kernel + layer.out_channels * kernel / math.prod(layer.stride)
            reach = math.sqrt(12 / fans)
            nn.init.uniform_(layer.weight, -reach, reach)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
