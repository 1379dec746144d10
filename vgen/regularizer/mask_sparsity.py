"""Mask sparsity: a generator of two streams paints little of the foreground."""

import torch
from torch import Tensor

from vgen.clip import Player, Step


class MaskSparsity:
    """E[ |mask| ] over clips, frames and pixels (VGAN, Vondrick et al. 2016, arXiv 1609.02612, §2)."""

    player: Player = "generator"
    differentiates: frozenset[str] = frozenset()

    def __init__(self, *, weight: float = 0.1, interval: int = 1):
        self.weight = weight
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        if "mask" not in step.parts:
            raise ValueError(
                "regularizer=mask_sparsity needs a generator that paints through a mask; "
                "set generator=vgan, or leave this term out"
            )
        mask = step.parts["mask"]
        return mask.abs().mean(dtype=torch.promote_types(mask.dtype, torch.float32))
