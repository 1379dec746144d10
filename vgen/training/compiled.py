"""torch.compile of both networks, and where it has to stand back."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from vgen.clip import Regularizer


def check_backend(backend: str | None) -> None:
    """Raise ValueError unless torch.compile has this backend, or it is None."""
    if backend is not None and backend not in torch.compiler.list_backends(exclude_tags=()):
        known = ", ".join(torch.compiler.list_backends())
        raise ValueError(f"training.compile={backend}: choose null or one of {known}")


def compile_networks(networks: Iterable[nn.Module], backend: str | None) -> None:
    """Compile what each network's call and its `decompose` do, in place; parameters keep their names."""
    if backend is None:
        return
    for network in networks:
        network.compile(backend=backend)
        decompose = getattr(network, "decompose", None)
        if decompose is not None:  # which the trainer calls in place of the network
            network.decompose = torch.compile(decompose, backend=backend)  # pyright: ignore[reportArgumentType]


def eager_where_twice(due: Mapping[str, Regularizer], backend: str | None) -> AbstractContextManager[Any]:
    """Where an update with the terms `due` runs: uncompiled if one differentiates twice, as compiled graphs cannot."""
    twice = any(getattr(term, "second_order", bool(term.differentiates)) for term in due.values())
    return torch.compiler.set_stance("force_eager") if backend is not None and twice else nullcontext()
