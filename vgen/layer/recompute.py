"""Activation checkpointing: keep a stage's input, and run the stage again when the backward pass needs the rest."""

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.utils.checkpoint import checkpoint

_again: ContextVar[bool] = ContextVar("vgen_recomputing", default=False)


def recomputing() -> bool:
    """Whether a stage is being run again, so that what it learns from its input is learnt already."""
    return _again.get()


class _RunningAgain:
    """Entered at every backward pass over a stage: a penalty runs it again once more."""

    def __enter__(self) -> None:
        self.token = _again.set(True)

    def __exit__(self, *_: object) -> None:
        _again.reset(self.token)


def _contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _RunningAgain()


def run_stages(layers: nn.Module, x: Tensor, *, checkpointing: bool) -> Tensor:
    """`layers(x)`, of an nn.Sequential; with `checkpointing` the backward pass is left the input of each stage only.

    A stage is two convolutions and what follows each. Numbers are the same bit for bit, gradients of
    gradients included: noise from torch's generators is drawn again as it was, and batch norms
    (`vgen.layer.batch_norm`) learn once. A stage must not draw from `vgen.rng.draw_rows`.

    Source: Chen et al. 2016, arXiv 1604.06174.
    """
    if not (checkpointing and torch.is_grad_enabled()):
        return layers(x)
    for stage in _stages(layers):
        x = checkpoint(stage, x, use_reentrant=False, preserve_rng_state=True, context_fn=_contexts)  # type: ignore[assignment]
    return x


def _stages(layers: nn.Module) -> list[nn.Sequential]:
    """Two convolutions each; what is left over is where maps are small, since the largest map should not be kept."""
    each = list(layers.children())
    starts = [index for index, layer in enumerate(each) if isinstance(layer, _ConvNd)]
    if not starts:
        return [nn.Sequential(*each)]
    grows = isinstance(each[starts[-1]], _ConvTransposeNd)
    begins = starts[len(starts) % 2 :: 2] if grows else starts[::2]
    edges = [0, *(index for index in begins if index > starts[0]), len(each)]
    return [nn.Sequential(*each[start:end]) for start, end in pairwise(edges)]
