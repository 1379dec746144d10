"""The latent of a clip at other times: what is known of it stays, and what comes besides is drawn."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent, as_generator


def latent_at(
    generator: nn.Module, latent: Latent, known: Tensor, times: Tensor, rng: torch.Generator
) -> Latent:
    """`latent`, which was made for times `known` (T,), for `times` (B, T'); parts get B rows if they have one.

    Parts of one shape for all lengths stay. Of the others a generator may know better itself, by an own
    `latent_at(latent, known, times, rng)`; else they are noise in the order of time, which is cut off or drawn further.
    """
    batch = len(times)
    drawn = as_generator(generator).sample_latent(batch, times, rng.clone_state())
    latent = {name: part.expand(batch, *part.shape[1:]) for name, part in latent.items()}
    own = getattr(generator, "latent_at", None)
    moved = {} if own is None else own(latent, known, times, rng)
    for name, part in latent.items():
        if name in moved or name not in drawn or part.shape == drawn[name].shape:
            continue
        both = min(part.shape[1], drawn[name].shape[1])
        moved[name] = torch.cat([part[:, :both], drawn[name][:, both:]], 1)
    return latent | moved
