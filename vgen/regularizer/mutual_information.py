"""Mutual information between a motion source's noise and its states."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.clip import Player, Step


class MutualInformation:
    """-E[ cos(noise, guess of it from the states) ] over clips and frames.

    Keeps a recurrent motion source from ignoring its noise (MoCoGAN-HD, Tian et al. 2021, arXiv 2104.15069, §3.1).
    A clip of one frame has no motion noise and gives 0.
    """

    player: Player = "generator"
    differentiates: frozenset[str] = frozenset()

    def __init__(self, *, weight: float = 1.0, interval: int = 1):
        self.weight = weight
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        if not {"motion_noise", "motion_noise_guess"} <= step.parts.keys():
            raise ValueError(
                "regularizer=mutual_information needs a motion source that guesses its noise; "
                "set generator=framewise generator/motion=lstm_residual, or leave this term out"
            )
        noise, guess = step.parts["motion_noise"], step.parts["motion_noise_guess"]
        precise = torch.promote_types(guess.dtype, torch.float32)
        cosine = F.cosine_similarity(noise.to(precise), guess.to(precise), dim=2)
        return -cosine.sum() / max(cosine.numel(), 1)
