"""A generator and a discriminator face to face: what the one makes, and what the other says of it."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from vgen import rng
from vgen.clip import (
    Augment,
    Clip,
    Judgement,
    Latent,
    Step,
    as_generator,
    given_and_shown,
    is_given,
    levels_of,
    made_clip,
)
from vgen.layer.augmented import augmented


class Players:
    """The two networks of a training, and the augmentation between them; contracts in `vgen.clip`.

    Args:
        judged_again: whether somebody (a regulariser) judges clips again with the same draws, which are then kept.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, augment: Augment, *, judged_again: bool
    ) -> None:
        self.generator, self.discriminator, self.augment = generator, discriminator, augment
        self.judged_again = judged_again
        # Asked at every step, and a module takes long to say that it lacks an attribute.
        self.given = is_given(generator)
        self.levels = levels_of(generator)
        self.decomposes = getattr(generator, "decompose", None) is not None

    def latent(self, real: Clip, stream: rng.BatchStream) -> tuple[Latent, Clip]:
        """The generator's input for clips like `real`, and `real` as it is judged beside what is made of that.

        The rows of the whole batch are drawn, and those of this process kept; they follow `real` in device and type.
        """
        times = real.times if stream.world == 1 else real.times.repeat(stream.world, 1)
        drawn = as_generator(self.generator).sample_latent(real.batch * stream.world, times, stream.rng)
        if stream.world > 1:
            rows = slice(stream.rank * real.batch, (stream.rank + 1) * real.batch)
            drawn = {name: part[rows] for name, part in drawn.items()}
        device, dtype = real.video.device, real.video.dtype
        latent = {
            name: part.to(device, dtype if part.is_floating_point() else None) for name, part in drawn.items()
        }
        if not self.given:
            return latent, real
        given, seen = given_and_shown(self.generator, real)
        return latent | given, seen

    def generate(self, latent: Latent, times: Tensor, label: Tensor | None) -> dict[str, Tensor]:
        """The generator's clip as "video", with its named parts beside it where it decomposes one."""
        if self.decomposes:
            return self.generator.decompose(latent, times, label)  # pyright: ignore[reportCallIssue]
        return {"video": self.generator(latent, times, label)}

    def fakes(self, made: Mapping[str, Tensor], real: Clip) -> Clip:
        """What `generate` made, as clips beside `real`, of whose type they are."""
        clip, dtype = made_clip(made, real, self.levels), real.video.dtype
        return clip if clip.video.dtype == dtype else clip.with_video(clip.video.to(dtype))

    def judge(self, clip: Clip) -> Judgement:
        """What the discriminator says of the augmented clip, and where random numbers stood before."""
        if not self.judged_again:
            return self.discriminator(augmented(self.augment, clip))
        draws = rng.mark()
        return replace(self.discriminator(augmented(self.augment, clip)), draws=draws)

    def step_so_far(
        self,
        real: Clip,
        fake: Clip,
        on_real: Judgement,
        on_fake: Judgement,
        latent: Latent,
        made: Mapping[str, Tensor],
    ) -> Step:
        """What regularisers get to read; `made` is what `generate` returned."""
        return Step(
            generator=self.generator,
            discriminator=self.discriminator,
            judge=self.judge,
            real=real,
            fake=fake,
            on_real=on_real,
            on_fake=on_fake,
            latent=latent,
            parts={name: part for name, part in made.items() if name != "video"},
        )
