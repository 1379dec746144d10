"""Weight initialisers of the papers."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd


def init_normal(module: nn.Module, *, std: float = 0.01, gain_std: float = 0.02) -> None:
    """Weights N(0, std), batch-norm gains N(1, gain_std), all biases 0 (VGAN, Vondrick et al. 2016).

    Draws from torch's default generator, as torch's own initialisers do: seed it before building a network.
    """
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            nn.init.normal_(layer.weight, 1.0, gain_std)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, _ConvNd | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
