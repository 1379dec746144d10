"""Freeze-D: parts of a discriminator that are not trained any further."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn


def freeze_weights(network: nn.Module, patterns: Sequence[str]) -> None:
    """Stop the training of all parameters whose names, or those of the modules they lie in, match a pattern.

    Patterns are as in a shell ("*.first", "video.trunk.[01]"). Meant for the first layers of a discriminator that goes
    on from trained weights (Mo et al. 2020, arXiv 2002.10964).

    Raises ValueError for a pattern that matches nothing, or if nothing is left to train.
    """
    unmatched = set(patterns)
    for name, parameter in network.named_parameters():
        for pattern in patterns:
            if any(fnmatchcase(inside, pattern) for inside in _with_parents(name)):
                unmatched.discard(pattern)
                parameter.requires_grad_(False)
    if unmatched:
        layers = dict.fromkeys(name.rpartition(".")[0] for name, _ in network.named_parameters())
        first = ", ".join(list(layers)[:6])
        raise ValueError(
            f"training.freeze_d: {min(unmatched)!r} is nothing in the discriminator, which begins with {first}"
        )
    if patterns and not any(p.requires_grad for p in network.parameters()):
        raise ValueError(f"training.freeze_d={list(patterns)}: leaves nothing of the discriminator to train")


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
