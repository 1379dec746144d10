"""Free codes: the discriminator reads them off generated clips, and the generator makes them readable."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.clip import Player, Step


class FreeCodes:
    """E[ -log Q(code | clip) ] on generated clips, Q what the discriminator's class logits say (`condition=codes`).

    Of the logits (B, D) the first K are those of the first categorical code, and so on; the last are the means of the
    continuous codes, whose Q is a normal distribution of variance 1: half the squared error, without the constant.
    Up to the codes' entropy it is minus InfoGAN's bound on their mutual information with the clip. Both players
    minimise it (regularizer=free_codes has a term for each), the discriminator to guess better, the generator to be
    guessed. Q is a layer upon the discriminator's trunk and belongs to its optimizer.

    Source: InfoGAN, Chen et al. 2016, arXiv 1606.03657; openai/InfoGAN: infogan/algos/infogan_trainer.py (weight 1).

    Args:
        continuous_weight: of the continuous codes beside the categorical ones.
    """

    differentiates: frozenset[str] = frozenset()

    def __init__(
        self, *, player: Player, weight: float = 1.0, interval: int = 1, continuous_weight: float = 1.0
    ):
        if player not in ("discriminator", "generator"):
            raise ValueError(f"player of free_codes must be discriminator or generator, not {player!r}")
        self.player: Player = player
        self.weight = weight
        self.interval = interval
        self.continuous_weight = continuous_weight

    def __call__(self, step: Step) -> Tensor:
        codes = {name: code for name, code in step.parts.items() if name.startswith("code_")}
        if not codes:
            raise ValueError(
                "regularizer=free_codes needs a generator with codes; set condition=codes, or leave it out"
            )
        wanted = sum(code.shape[1] for code in codes.values())
        guesses = step.on_fake.class_logits
        if guesses is None or guesses.shape[1] != wanted:
            has = 0 if guesses is None else guesses.shape[1]
            raise ValueError(
                f"regularizer=free_codes needs a discriminator that guesses {wanted} numbers (class logits), and this "
                f"one guesses {has}; set discriminator=mocogan (or tgan, g3an, tsm) discriminator.classes={wanted}"
            )
        guesses = guesses.to(torch.promote_types(guesses.dtype, torch.float32))
        terms = []
        for (name, code), guess in zip(
            codes.items(), guesses.split([code.shape[1] for code in codes.values()], 1), strict=True
        ):
            if name == "code_continuous":
                terms.append(self.continuous_weight * 0.5 * (guess - code).square().sum(1).mean())
            else:
                terms.append(F.cross_entropy(guess, code.to(guess.dtype)))
        return torch.stack(terms).sum()
