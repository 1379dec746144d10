"""Path length: equal steps in latent space make equally large changes of the clip."""

import math

import torch
from torch import Tensor, nn

from vgen.clip import Player, Step, noise_parts
from vgen.layer.clip_noise import clip_noise
from vgen.layer.processes import global_mean


class PathLength(nn.Module):
    """E[ (length - a)^2 ], length = | d <video, y> / d z |, y ~ N(0, I / (T H W)), a the moving average of lengths.

    StyleGAN2's regulariser (Karras et al. 2020, arXiv 1912.04958) for any generator. What is differentiated is
    the whole clip with respect to z, all numbers of the latent that one clip has: its content code, and the codes of
    all its frames. (StyleGAN2 takes its intermediate w instead; parts that are no floating-point numbers do not
    count.) So length^2 is a squared row norm of the Jacobian averaged over random directions y of the clip; dividing
    y by T H W leaves it independent of the clip's size. Runs the generator once more, in float32 also under autocast,
    and differentiates it twice.

    a is a buffer, in every checkpoint; no gradient passes through it. It follows the mean over all processes.

    Args:
        parts: names of the parts of the latent that z is made of, as `generator.sample_latent` names them; all of
            them if None. A generator without such a part is refused before training.
        decay: step of the moving average, per update at which the term is due.
    """

    player: Player = "generator"
    differentiates: frozenset[str] = frozenset()
    second_order = True
    average: Tensor

    def __init__(
        self, *, weight: float = 2.0, interval: int = 4, decay: float = 0.01, parts: list[str] | None = None
    ):
        super().__init__()
        if not 0 < decay <= 1:
            raise ValueError(f"decay={decay} of path_length: must lie in (0, 1]")
        self.weight = weight
        self.interval = interval
        self.decay = decay
        self.parts = parts
        self.register_buffer("average", torch.zeros(()))

    def forward(self, step: Step) -> Tensor:
        chosen = self._choose(step.latent)
        with torch.autocast(step.fake.video.device.type, enabled=False):
            wide = {name: part.detach().to(_wide(part)).requires_grad_() for name, part in chosen.items()}
            video = step.generator({**step.latent, **wide}, step.real.times, step.real.label)
            direction = clip_noise(video) / math.sqrt(math.prod(video.shape[2:]))
            gradients = torch.autograd.grad(
                (video * direction).sum(), list(wide.values()), create_graph=True, materialize_grads=True
            )
            squares = [gradient.square().reshape(len(gradient), -1).sum(1) for gradient in gradients]
            length = torch.stack(squares).sum(0).sqrt()  # (B,)
            return (length - self._follow(length)).square().mean()

    def _follow(self, length: Tensor) -> Tensor:
        with torch.no_grad():
            moved = self.average.lerp(global_mean(length).to(self.average), self.decay)
            if self.training:
                self.average.copy_(moved)
        return moved.to(length)

    def _choose(self, latent: dict[str, Tensor]) -> dict[str, Tensor]:
        numbers = noise_parts(latent)
        if not numbers:
            raise ValueError(
                "regularizer=path_length needs a latent of numbers, which this generator does not have "
                "(with condition=frames, condition.frames.noise=true keeps them)"
            )
        for name in self.parts or ():
            if name not in numbers:
                has = ", ".join(numbers)
                raise ValueError(f"path_length.parts names {name!r}, but the generator's latent has {has}")
        return numbers if self.parts is None else {name: numbers[name] for name in self.parts}


def _wide(part: Tensor) -> torch.dtype:
    return torch.promote_types(part.dtype, torch.float32)
