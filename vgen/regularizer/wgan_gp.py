"""WGAN-GP: a discriminator whose gradient between real and generated clips has norm 1."""

from dataclasses import replace

import torch
from torch import Tensor

from vgen.clip import Clip, Player, Step
from vgen.layer.score import score_gradient
from vgen.rng import draw_rows


class WGANGP:
    """E[ (|d score / d mixed| - 1)^2 ] (Gulrajani et al. 2017, arXiv 1704.00028, eq. 3; `weight` is lambda).

    mixed = (1 - u) real + u fake with u ~ U(0, 1) per clip, in pixels, of small frames too, and in times; labels are
    those of the real clip. The score of a clip is the sum over heads of the mean of the head's logits, the norm that of
    the whole clip. Runs the discriminator once more, in float32 also under autocast. The paper advises
    against batch norm in the discriminator here, since it makes a clip's score depend on other clips.

    `one_sided` penalises only norms above 1: E[ max(0, |d score / d mixed| - 1)^2 ], the Lipschitz penalty of
    WGAN-LP (Petzka et al. 2018, arXiv 1709.08894).
    """

    player: Player = "discriminator"
    differentiates: frozenset[str] = frozenset()
    second_order = True

    def __init__(self, *, weight: float = 10.0, interval: int = 1, one_sided: bool = False):
        self.weight = weight
        self.interval = interval
        self.one_sided = one_sided

    def __call__(self, step: Step) -> Tensor:
        mixed = _mix(step.real, step.fake)
        with torch.autocast(mixed.video.device.type, enabled=False):
            gradient = score_gradient(step.judge(mixed), mixed.video)
            excess = torch.linalg.vector_norm(gradient.flatten(1), dim=1) - 1
            return (excess.relu() if self.one_sided else excess).square().mean()


def _mix(real: Clip, fake: Clip) -> Clip:
    if real.video.shape != fake.video.shape:
        raise ValueError(
            f"wgan_gp mixes real and generated clips, but they are {tuple(real.video.shape)} and "
            f"{tuple(fake.video.shape)} (B, C, T, H, W); make their length equal, or use regularizer=r1"
        )
    dtype = torch.promote_types(real.video.dtype, torch.float32)
    u = draw_rows(real.batch, lambda rows, rng: torch.rand(rows, generator=rng)).to(real.video.device, dtype)

    def between(here: Tensor, there: Tensor) -> Tensor:
        return torch.lerp(here.detach().to(dtype), there.detach().to(dtype), u.view(-1, 1, 1, 1, 1))

    low = None if real.low is None or fake.low is None else between(real.low, fake.low)
    times = torch.lerp(real.times, fake.times.to(real.times), u.view(-1, 1).to(real.times))
    return replace(real, video=between(real.video, fake.video).requires_grad_(), times=times, low=low)
