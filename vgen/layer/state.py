"""The initial state that a condition gives a generator: a map that joins the first one."""

from torch import Tensor

from vgen.clip import Latent


def with_state(first: Tensor, latent: Latent) -> Tensor:
    """`first` (B, C, T, h, w) plus, in every frame, the latent's part "state" (B, C, h, w), where there is one."""
    return first + latent["state"][:, :, None] if "state" in latent else first
