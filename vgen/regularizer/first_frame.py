"""First frames: what the generator makes of the frames that it was given."""

from typing import Literal

import torch
from torch import Tensor

from vgen.clip import GIVEN, Player, Step


class FirstFrame:
    """E[ |made - given| ] or E[ |made - given|^2 ] over clips, given frames, channels and pixels.

    VGAN's term for its conditional generator, L1 with weight 10 (Vondrick et al. 2016, arXiv 1609.02612;
    cvondrick/videogan: main_conditional.lua). Where given frames are pasted into the clip, it is the frames under them
    that count. Of a generator that is trained sparsely it is those of its coarsest level.

    Args:
        distance: "l1" or "l2".
    """

    player: Player = "generator"
    differentiates: frozenset[str] = frozenset()

    def __init__(self, *, weight: float = 10.0, interval: int = 1, distance: Literal["l1", "l2"] = "l1"):
        if distance not in ("l1", "l2"):
            raise ValueError(f"distance={distance} of first_frame: l1 or l2")
        self.weight = weight
        self.interval = interval
        self.distance = distance

    def __call__(self, step: Step) -> Tensor:
        if not {GIVEN, "reconstruction"} <= step.parts.keys():
            raise ValueError(
                "regularizer=first_frame needs a generator that continues given frames; set condition=frames, or leave "
                "this term out"
            )
        given, made = step.parts[GIVEN], step.parts["reconstruction"]
        change = made.to(torch.promote_types(made.dtype, torch.float32)) - given
        return change.abs().mean() if self.distance == "l1" else change.square().mean()
