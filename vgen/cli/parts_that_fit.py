"""Whether generator, sampler and discriminator fit: found out before any data is read."""

import torch
from torch import Tensor

from vgen.clip import (
    Clip,
    Generator,
    Judgement,
    Sampler,
    as_generator,
    given_and_shown,
    is_given,
    levels_of,
    made_clip,
)
from vgen.config import ConfigError
from vgen.training.video_gan import VideoGAN


def check_times(generator: Generator, sampler: Sampler) -> Tensor:
    """Times (1, T) that the sampler draws; ConfigError unless the generator can make clips at all that it may draw."""
    rng = torch.Generator().manual_seed(0)
    # A random law must not pass because its first clip happens to be a regular one.
    drawn = torch.stack([sampler(10 * sampler.span, rng) for _ in range(100)]).float()
    times = drawn - drawn[:, :1]
    try:
        generator.check_times(times)
        if not generator.reads_times and (times != times[0]).any():
            raise ValueError(
                "it makes frames at one spacing whatever their times, but the sampler draws clips of different "
                "spacings; set sampler=consecutive, or choose a generator that reads times"
            )
    except ValueError as error:
        raise ConfigError(f"generator and sampler do not fit: {error}") from error
    return times[:1]


def try_parts(model: VideoGAN, times: Tensor, *, shape: tuple[int, int]) -> None:
    """Pass one clip, of `shape` channels and pixels, through all parts: what does not fit fails before any data is
    read.
    """
    model.eval()  # no statistics are learnt
    generator = as_generator(model.generator)
    label = torch.zeros(1, dtype=torch.int64) if generator.classes else None
    latent = generator.sample_latent(1, times, torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        try:
            if is_given(generator):
                channels, size = shape
                real = Clip(torch.zeros(1, channels, times.shape[1], size, size), times, label)
                given, seen = given_and_shown(generator, real)
                latent, times = latent | given, seen.times
            made = model.players.generate(latent, times, label)
            fake = made_clip(made, Clip(made["video"], times, label), levels_of(generator))
            fake = fake.with_video(fake.video.detach().requires_grad_())
            _check_levels(model)
            on_fake = _judge_what_is_shown(model, fake)
            real, on_real = fake, on_fake
            if fake.levels > 1:
                dense = generator(latent, times, label).detach().requires_grad_()
                real = Clip(dense, times, label)
                on_real = model.players.judge(real)
        except RuntimeError as error:
            raise ConfigError(
                f"generator and discriminator do not fit: {str(error).splitlines()[0]}"
            ) from error
        step = model.players.step_so_far(real, fake, on_real, on_fake, latent, made)
        for player in ("discriminator", "generator"):
            model.objective.adversarial(player, on_real, on_fake)
            model.objective.regularization(model.objective.due(player, 0), step)
    model.zero_grad()
    model.train()


def _check_levels(model: VideoGAN) -> None:
    """ConfigError unless the discriminator can look at clips that are made sparsely, where they are."""
    made, seen = levels_of(model.generator), levels_of(model.discriminator)
    if made not in (1, seen):
        raise ConfigError(
            f"generator.sparse=true trains through {made} levels of detail, but this discriminator looks at {seen}; "
            f"set discriminator=tganv2 discriminator.levels={made}, or generator.sparse=false"
        )


def _judge_what_is_shown(model: VideoGAN, fake: Clip) -> Judgement:
    try:
        return model.players.judge(fake)
    except ValueError as error:
        beyond: int = getattr(model.generator, "given_beyond", 0)
        if not beyond:
            raise
        what = str(error).partition(";")[0]  # its advice is for clips that are shown whole
        raise ConfigError(
            f"generator.cut_ends=true: of a clip's {fake.frames + 2 * beyond} frames the discriminator sees "
            f"{fake.frames}, and {what}; set generator.cut_ends=false, or discriminator.frames={fake.frames} where "
            "there is such a key"
        ) from error
