"""DRAGAN: a discriminator whose gradient around real clips has norm 1."""

from typing import Literal

import torch
from torch import Tensor

from vgen.clip import Player, Step
from vgen.layer.clip_noise import clip_noise
from vgen.layer.processes import over_processes
from vgen.layer.score import score_gradient
from vgen.rng import draw_rows


class DRAGAN:
    """E[ (|d score / d noisy| - 1)^2 ] (Kodali et al. 2017, arXiv 1705.07215; `weight` is its lambda).

    noisy = real + noise:

    - "normal", as in the paper: noise ~ N(0, sigma^2 I), sigma in pixels in [-1, 1];
    - "uniform", as in its code: noise = a sigma s u with u ~ U(0, 1) per pixel, a ~ U(0, 1) per clip and s the standard
      deviation of all pixels of the batch (0.5 is the code's sigma).

    Score and norm are those of `vgen.regularizer.r1`. Runs the discriminator once more, in float32 also under autocast.
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset()
    second_order = True

    def __init__(
        self,
        *,
        weight: float = 10.0,
        noise: Literal["normal", "uniform"] = "uniform",
        sigma: float = 0.5,
        interval: int = 1,
    ):
        if noise not in ("normal", "uniform"):
            raise ValueError(f"noise of dragan must be normal or uniform, not {noise!r}")
        self.weight = weight
        self.noise = noise
        self.sigma = sigma
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        real = step.real.video.detach()
        real = real.to(torch.promote_types(real.dtype, torch.float32))
        noisy = step.real.with_video((real + self._noise(real)).requires_grad_())
        with torch.autocast(real.device.type, enabled=False):
            gradient = score_gradient(step.judge(noisy), noisy.video)
            norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
            return (norm - 1).square().mean()

    def _noise(self, real: Tensor) -> Tensor:
        if self.noise == "normal":
            return self.sigma * clip_noise(real)
        share = draw_rows(real.shape[0], lambda rows, rng: torch.rand(rows, generator=rng))
        mean, square = over_processes(torch.stack([real.mean(), real.square().mean()]))
        spread = (square - mean.square()).clamp_min(0).sqrt()
        return self.sigma * spread * share.to(real).view(-1, 1, 1, 1, 1) * clip_noise(real, torch.rand)
