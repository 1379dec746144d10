"""Mode seeking: different latents make different clips."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vgen.clip import GIVEN, Player, Step, as_generator, noise_parts
from vgen.layer.times import check_dense


class ModeSeeking:
    """E[ 1 / (|G(z) - G(z')| / |z - z'| + 1e-5) ] (Mao et al. 2019, arXiv 1903.05628).

    z' is the latent of the next clip of the batch, made with the label, times and given frames of the first; |.| is the
    mean absolute difference, over pixels and over all numbers of a latent. A generator with none of these to read has
    made that clip already, another one runs once more. The ratio is taken clip by clip (the authors' code
    divides means over the batch). Each process pairs the clips of its own part of a batch, so the pairs, unlike all
    else, depend on the number of processes.
    """

    player: Player = "generator"
    differentiates: frozenset[str] = frozenset()

    def __init__(self, *, weight: float = 1.0, interval: int = 1):
        self.weight = weight
        self.interval = interval

    def __call__(self, step: Step) -> Tensor:
        fake, generator = step.fake, step.generator
        check_dense(fake, who="regularizer=mode_seeking")
        if fake.batch < 2 and generator.training:
            raise ValueError(
                "regularizer=mode_seeking compares clips of a batch, but a process sees one at a time; "
                "set batch to at least 2 per process and part (training.accumulate)"
            )
        other = {name: part if name == GIVEN else part.roll(1, 0) for name, part in step.latent.items()}
        if fake.label is None and GIVEN not in other and not as_generator(generator).reads_times:
            video = fake.video.roll(1, 0)
        else:
            video = generator(other, fake.times, fake.label)
        apart = _distance([fake.video], [video])
        latents = [(part, other[name]) for name, part in noise_parts(step.latent).items()]
        if not latents:
            raise ValueError(
                "regularizer=mode_seeking needs a latent of numbers, which this generator does not have "
                "(with condition=frames, condition.frames.noise=true keeps them)"
            )
        # A latent equals another only in a batch of one, where both distances are 0.
        ratio = apart / _distance(*zip(*latents, strict=True)).clamp_min(1e-12)
        return (1 / (ratio + 1e-5)).mean()


def _distance(here: Sequence[Tensor], there: Sequence[Tensor]) -> Tensor:
    """(B,): the mean absolute difference over all numbers that a row has, in float32 at least."""
    changes = [(a - b).abs().reshape(len(a), -1) for a, b in zip(here, there, strict=True)]
    change = torch.cat(changes, 1)
    return change.to(torch.promote_types(change.dtype, torch.float32)).mean(1)
