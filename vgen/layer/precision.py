"""Reduced precision where frames are large, full precision where they are small."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def reduced_from(size: int, sizes: int) -> int:
    """The smallest of the `sizes` largest frame sizes size, size / 2, ..., but at least 8.

    Source: StyleGAN2-ADA, Karras et al. 2020, arXiv 2006.06676, appendix D (4 sizes in half precision).
    """
    return max(2 * size >> sizes, 8)


def precision_of(x: Tensor, *, reduced: bool) -> AbstractContextManager[object]:
    """The precision that the trainer chose, or full precision unless `reduced`."""
    return nullcontext() if reduced else torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
