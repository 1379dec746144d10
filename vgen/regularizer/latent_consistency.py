"""Latent consistency: a nudge of the latent changes the clip, but not what the discriminator says of it."""

import torch
from torch import Tensor

from vgen.clip import Player, Step, noise_parts
from vgen.layer.clip_noise import clip_noise
from vgen.layer.times import check_dense
from vgen.regularizer.consistency import squared_change
from vgen.rng import repeat


class LatentConsistency:
    """zCR (Zhao et al. 2020, arXiv 2002.04724), with T(z) = z + N(0, sigma^2) on all parts of a latent
    that are noise.

    Player "discriminator": E[ (D(G(z)) - D(G(T(z))))^2 ], summed over heads, judged with the same augmentation.
    Player "generator": - E[ (G(z) - G(T(z)))^2 ], the mean over pixels, so that clips do differ.
    The paper's ICR is both, beside balanced_consistency. Runs the generator once more; the discriminator's term does
    so without its gradients.

    Args:
        sigma: standard deviation of the nudge.
    """

    differentiates: frozenset[str] = frozenset()

    def __init__(self, *, player: Player, weight: float = 1.0, interval: int = 1, sigma: float = 0.03):
        if player not in ("discriminator", "generator"):
            raise ValueError(
                f"player of latent_consistency must be discriminator or generator, not {player!r}"
            )
        if sigma <= 0:
            raise ValueError(
                f"sigma={sigma} of latent_consistency: without a nudge there is nothing to compare"
            )
        self.player: Player = player
        self.weight = weight
        self.interval = interval
        self.sigma = sigma

    def __call__(self, step: Step) -> Tensor:
        clip = step.fake
        check_dense(clip, who="regularizer=latent_consistency")
        numbers = noise_parts(step.latent)
        if not numbers:
            raise ValueError(
                "regularizer=latent_consistency needs a latent of numbers, which this generator does not have "
                "(with condition=frames, condition.frames.noise=true keeps them)"
            )
        nudged = step.latent | {
            name: part + (self.sigma * clip_noise(part)).to(part.dtype) for name, part in numbers.items()
        }
        with torch.set_grad_enabled(self.player == "generator"):
            video = step.generator(nudged, clip.times, clip.label).to(clip.video.dtype)
        if self.player == "generator":
            return -(clip.video - video).square().mean()
        with repeat(step.on_fake.draws):
            return squared_change(step.on_fake, step.judge(clip.with_video(video)))
