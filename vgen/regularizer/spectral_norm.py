"""Spectral normalisation: every layer of a player has Lipschitz constant 1."""

from torch import nn

from vgen.clip import Player, Step
from vgen.layer.spectral import add_spectral_norm


class SpectralNorm:
    """Divides the weight of every convolution, linear layer and embedding by its largest singular value.

    No term of a loss: the network is reparametrised once, with torch.nn.utils.parametrizations, before training.
    A weight is taken as a matrix (outputs, the rest), as the paper does, and times its scale where the learning rate is
    equalised; gains of norms, biases and recurrent cells stay as they are, and so do layers that a network has
    normalised itself.

    Source: Miyato et al. 2018, arXiv 1802.05957. For the generator too: SAGAN, Zhang et al. 2019, arXiv 1805.08318.

    Args:
        power_iterations: per use of a weight in training.
    """

    differentiates: frozenset[str] = frozenset()
    weight = 1.0
    interval = 1

    def __init__(self, *, player: Player = "discriminator", power_iterations: int = 1):
        if player not in ("discriminator", "generator"):
            raise ValueError(f"player of spectral_norm must be discriminator or generator, not {player!r}")
        if power_iterations < 1:
            raise ValueError(f"power_iterations={power_iterations} of spectral_norm: must be at least 1")
        self.player: Player = player
        self.power_iterations = power_iterations

    def prepare(self, network: nn.Module) -> None:
        """Normalise the layers of `network`, in place."""
        add_spectral_norm(network, iterations=self.power_iterations)

    def __call__(self, step: Step) -> None:
        """No term of the loss."""
