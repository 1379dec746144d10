"""Small things that both players' updates need."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from vgen.clip import Clip, Judgement


def split_rows(clip: Clip, parts: int) -> list[Clip]:
    """The batch in `parts` equal runs of rows."""
    if parts == 1:
        return [clip]
    size = math.ceil(clip.batch / parts)
    slices = [slice(start, start + size) for start in range(0, clip.batch, size)]
    return [clip.rows(part) for part in slices]


def detached(judgement: Judgement) -> Judgement:
    return Judgement({head: logits.detach() for head, logits in judgement.logits.items()})


def mean_logits(on_real: Judgement, on_fake: Judgement) -> dict[str, Tensor]:
    """What is logged of each head's opinion, without gradient."""
    return {
        f"logit/{kind}_{head}": logits.detach().mean()
        for head in on_real.logits
        for kind, logits in (("real", on_real.logits[head]), ("fake", on_fake.logits[head]))
    }


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
