"""Small things that both players' updates need."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from vgen.clip import Clip, Judgement


def split_rows(clip: Clip, parts: int) -> list[Clip]:
    """The batch in `parts` equal runs of rows."""
    size = math.ceil(clip.batch / parts)
    slices = [slice(start, start + size) for start in range(0, clip.batch, size)]
    return [
        Clip(clip.video[rows], clip.times[rows], None if clip.label is None else clip.label[rows])
        for rows in slices
    ]


def detached(judgement: Judgement) -> Judgement:
    return Judgement({head: logits.detach() for head, logits in judgement.logits.items()})


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No weight gradients for `module` inside the block; parameters that were frozen stay so afterwards."""
    trained = [p for p in module.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
