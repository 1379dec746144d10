"""Classification: the discriminator names the class of a clip."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.clip import Player, Step


class Classification:
    """Cross-entropy of the discriminator's class logits.

    For player "discriminator" on real clips: it learns their classes (MoCoGAN's categorical discriminator).
    For player "generator" on its own clips: they must show the class they were asked for, the mutual-
    information term of MoCoGAN (Tulyakov et al. 2018, §3) and of InfoGAN (Chen et al. 2016, eq. 5).
    AC-GAN (Odena et al. 2017, arXiv 1610.09585) and InfoGAN also let the discriminator learn from generated clips:
    player "discriminator" with clips "fake".

    Args:
        clips: "real" or "fake"; None means the player's own, real for the discriminator.
    """

    differentiates: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        player: Player,
        weight: float = 1.0,
        interval: int = 1,
        clips: Literal["real", "fake"] | None = None,
    ):
        if player not in ("discriminator", "generator"):
            raise ValueError(
                f"player of a classification term must be discriminator or generator, not {player!r}"
            )
        if (player, clips) == ("generator", "real"):
            raise ValueError(
                "a classification term of the generator on real clips teaches it nothing; clips=fake"
            )
        if clips not in ("real", "fake", None):
            raise ValueError(f"clips of a classification term must be real or fake, not {clips!r}")
        self.player: Player = player
        self.clips = clips or ("real" if player == "discriminator" else "fake")
        self.weight = weight
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        on_real = self.clips == "real"
        clip, judgement = (step.real, step.on_real) if on_real else (step.fake, step.on_fake)
        if judgement.class_logits is None:
            raise ValueError(
                "regularizer=classification needs a discriminator that gives class logits; set "
                "discriminator=mocogan discriminator.video=full, and clip.classes to the number of classes"
            )
        if clip.label is None:
            source = "use data with labels" if on_real else "set generator.classes to the number of classes"
            raise ValueError(f"regularizer=classification needs labelled clips, but there are none; {source}")
        logits = judgement.class_logits
        return F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), clip.label)
