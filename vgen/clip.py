"""The vocabulary all rooms share: clips, what a discriminator says of them, and the contracts of the parts.

Shape legend, here and everywhere: B batch, C channels, T frames, H height, W width, Z latent, K classes,
D feature. Inside a model a video is (B, C, T, H, W) float in [-1, 1]; in storage and on the wire to the
accelerator it is (B, T, H, W, C) uint8.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from vgen.rng import Draws

Latent = dict[str, Tensor]
GIVEN = "given"  # the part of a latent that is no noise: the first frames of a real clip
Player = Literal["generator", "discriminator"]


@dataclass(frozen=True)
class Clip:
    """A batch of clips.

    Attributes:
        video: (B, C, T, H, W) float in [-1, 1].
        times: (B, T) float, in frames at the frame rate of the data set, 0 at the clip's first frame.
        label: (B,) int64 class index, or None.
        low: small versions (B, C, T, h, w) of these frames, which a generator made them from or could have; None for
            most clips.
        levels: 1; or, for a clip that a generator made sparsely, how many levels of detail stand one behind the other
            along T: first all frames, in blocks of 2^(levels - 1) pixels squared, and then again and again half of the
            frames before, in blocks half as wide. `times` are those of all these frames.
    """

    video: Tensor
    times: Tensor
    label: Tensor | None = None
    levels: int = 1
    low: Tensor | None = None

    @property
    def batch(self) -> int:
        return self.video.shape[0]

    @property
    def frames(self) -> int:
        return self.video.shape[2]

    def with_video(self, video: Tensor) -> "Clip":
        """The same times and labels around another video."""
        return replace(self, video=video)

    def detach(self) -> "Clip":
        return self.with_video(self.video.detach())

    def rows(self, which: slice) -> "Clip":
        """Some clips of the batch."""
        label, low = (None if part is None else part[which] for part in (self.label, self.low))
        return replace(self, video=self.video[which], times=self.times[which], label=label, low=low)

    def select_frames(self, index: Tensor) -> "Clip":
        """Frames `index` (B, k) of each clip, in that order: video (B, C, k, H, W), times (B, k)."""
        channels, (height, width) = self.video.shape[1], self.video.shape[3:]
        index = index.to(self.video.device)
        wide = index[:, None, :, None, None].expand(-1, channels, -1, height, width)
        low = None
        if self.low is not None:
            low = self.low.gather(2, wide[..., :1, :1].expand(-1, -1, -1, *self.low.shape[3:]))
        return replace(self, video=self.video.gather(2, wide), times=self.times.gather(1, index), low=low)


def to_pixels(video: Tensor) -> Tensor:
    """(B, C, T, H, W) in [-1, 1] -> (B, T, H, W, C) uint8, rounded to nearest, clamped."""
    return (
        ((video.detach().float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 4, 1)
    )


def from_pixels(pixels: Tensor) -> Tensor:
    """(B, T, H, W, C) uint8 -> (B, C, T, H, W) float32 in [-1, 1]; inverse of `to_pixels` on uint8.

    The result keeps the channels-last memory of its input.
    """
    return pixels.permute(0, 4, 1, 2, 3).to(torch.float32).div_(127.5).sub_(1)


def regular_times(batch: int, frames: int, stride: float = 1.0, device: torch.device | str = "cpu") -> Tensor:
    """Times (B, T) of equally spaced frames: 0, stride, 2 stride, ..."""
    return (torch.arange(frames, dtype=torch.float32, device=device) * stride).expand(batch, frames)


@dataclass(frozen=True)
class Judgement:
    """What a discriminator says of a batch of clips.

    Attributes:
        logits: head name -> logits, (B,) or (B, ...) for patches; large means real.
        class_logits: (B, K) where the network also classifies, or guesses codes (`vgen.condition.codes`), else None.
        features: name -> intermediate features, for terms that compare them.
        weights: head name -> factor of its adversarial loss; 1 where not named.
        views: what each level of a discriminator that has several looked at; the logits follow from these.
        draws: set by the trainer: where random numbers stood before it. Inside `vgen.rng.repeat(draws)` another clip
            is judged with the same augmentation, noise and choice of frames.
    """

    logits: Mapping[str, Tensor]
    class_logits: Tensor | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    views: tuple[Tensor, ...] = ()
    draws: Draws | None = None


@dataclass(frozen=True)
class Step:
    """What one player's update has computed so far; regularisers read it instead of running networks again.

    Attributes:
        real, fake: the clips before augmentation. In a discriminator step `fake` carries no generator graph.
            `real.video` (`fake.video`) requires grad when a due regulariser says so in `differentiates`.
        on_real, on_fake: the discriminator's judgement of them.
        judge: augmentation followed by the discriminator, to judge another clip.
        latent: the generator's input behind `fake`.
        parts: what `generator.decompose` gave besides the video (empty for most generators).
    """

    generator: nn.Module
    discriminator: nn.Module
    judge: Callable[[Clip], Judgement]
    real: Clip
    fake: Clip
    on_real: Judgement
    on_fake: Judgement
    latent: Latent
    parts: Mapping[str, Tensor] = field(default_factory=dict)


@runtime_checkable
class Generator(Protocol):
    """Latent -> clip.

    `classes` is 0 for an unconditional generator. `frames` is the only length it can make, or None for any.
    `reads_times` is False for one that makes frame after frame at the spacing it was trained on, whatever `times` say.
    A generator may also offer `decompose(latent, times, label) -> dict` with "video" and further named parts
    (a mask, a background); the trainer then calls it once instead of `forward` and hands the parts to
    regularisers.

    One that is trained sparsely says with how many levels of detail, `levels`. "video" of `decompose` is then such a
    clip (see `Clip.levels`), and "frames" (B, T) int64 says which of `times` its frames have; `forward` makes all.

    One that continues real clips says how many frames it is given, `given_frames`. Whoever calls it then adds the part
    "given" (B, C, given_frames, H, W) to what `sample_latent` draws: the first frames of real clips, at the first of
    `times`.

    One that enlarges clips has `give(video)`, which makes of real clips (B, C, T, H, W) the small ones (B, C, T, h, w)
    that become its part "given", and `small_size`, their h = w. Its `decompose` returns, beside "video", the small
    frames that these were made from as "low", for the discriminator (`Clip.low`). With `given_beyond` n above 0, the
    first and last n frames of a real clip are given but neither made nor shown to the discriminator.

    One with `state_shape` (C, h, w) adds the latent's part "state" of that shape, where there is one, to its
    first map, in every frame of it.

    One whose layers take styles says how many do and how wide a style is, `style_shape`. `styles(latent, times, label)`
    are then those of a latent, (B, *style_shape), and a part "w" of that shape in a latent takes their place;
    `style_maps()` are the linear maps (outputs, width) that read each layer's style. `draw_content(batch, rng)` are
    further values of its part "content"; parts "content_path" and "content_path_times" let the styles change in the
    course of a clip (`vgen.layer.content_path`), and `styles` are then (B, T, *style_shape).

    One that can tell better than by cutting off or drawing on what a latent is at other times offers
    `latent_at(latent, known, times, rng)` (`vgen.training.latent_at`).
    """

    classes: int
    frames: int | None
    reads_times: bool

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """Named parts, each with first dimension `batch`, drawn on the CPU from `rng`."""
        ...

    def check_times(self, times: Tensor) -> None:
        """Raise ValueError, saying why and what to choose instead, if it cannot make clips at `times` (B, T)."""
        ...

    def __call__(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor: ...


def given_frames(generator: object) -> int:
    """How many first frames of a real clip `generator` is given, 0 for one that says nothing of it."""
    return getattr(generator, "given_frames", 0)


def small_size(generator: object) -> int:
    """Height and width of the small clips that `generator` enlarges, 0 for one that does no such thing."""
    return getattr(generator, "small_size", 0)


def is_given(generator: object) -> bool:
    """Whether `generator` must be given something of a real clip."""
    return given_frames(generator) > 0 or small_size(generator) > 0


def given_part(generator: Any, video: Tensor) -> Tensor:
    """The part "given" that `generator`, which `is_given` something, takes from real clips (B, C, T, H, W)."""
    return generator.give(video) if small_size(generator) else video[:, :, : given_frames(generator)]


def given_and_shown(generator: Any, real: Clip) -> tuple[Latent, Clip]:
    """What of `real` is given to `generator`, as the part "given" of a latent or no part at all; and `real` as a
    discriminator sees it beside what is made of that.

    One that enlarges clips brings the small versions that it is given to the discriminator, too, and may leave frames
    out at both ends there.
    """
    if not is_given(generator):
        return {}, real
    given = given_part(generator, real.video.detach())
    if not small_size(generator):
        return {GIVEN: given}, real
    beyond = getattr(generator, "given_beyond", 0)
    kept = slice(beyond, real.frames - beyond)
    seen = replace(real, video=real.video[:, :, kept], times=real.times[:, kept], low=given[:, :, kept])
    return {GIVEN: given}, seen


def style_shape(generator: object) -> tuple[int, int] | None:
    """How many layers of `generator` take a style and how wide that is; None for one without styles."""
    return getattr(generator, "style_shape", None)


def levels_of(part: object) -> int:
    """In how many levels of detail a generator makes clips, or a discriminator looks at them; 1 if it does not say."""
    return getattr(part, "levels", 1)


def made_clip(made: Mapping[str, Tensor], real: Clip, levels: int = 1) -> Clip:
    """The clip with the times and labels of `real` of which `made` is what a generator's `decompose` returned."""
    if "frames" not in made:
        return Clip(made["video"], real.times, real.label, real.levels, made.get("low"))
    return Clip(made["video"], real.times.gather(1, made["frames"]), real.label, levels)


def noise_parts(latent: Latent) -> Latent:
    """The parts that were drawn as floating-point numbers: what may be moved, compared and differentiated."""
    return {name: part for name, part in latent.items() if part.is_floating_point() and name != GIVEN}


def as_generator(module: nn.Module) -> Generator:
    """`module` under its contract (type checkers cannot say "a Module that is also a Generator")."""
    return cast(Generator, module)


@runtime_checkable
class Discriminator(Protocol):
    """Clip -> one entry of logits per head.

    One that can look at sparsely made clips says of how many levels, `levels`.
    """

    def __call__(self, clip: Clip) -> Judgement: ...


@runtime_checkable
class Loss(Protocol):
    """Logits of one head -> scalar. Both players get both logits (relativistic losses need them).

    `relativistic` says that the generator's loss reads the real logits; the trainer then judges the real clips
    once more in the generator step, else it hands on the detached logits of the discriminator step.
    """

    relativistic: bool

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor: ...

    def generator(self, real: Tensor, fake: Tensor) -> Tensor: ...


@runtime_checkable
class Regularizer(Protocol):
    """An extra term for one player: `weight * regularizer(step)`, every `interval` steps.

    The trainer multiplies a lazy term by its interval and adds it to the loss of the same update. (StyleGAN2
    gives lazy terms optimizer steps of their own and rescales Adam for them; there is no such step here.)

    `differentiates` names the clips ("real", "fake") whose pixels the term differentiates through the shared
    judgement; these get requires_grad and the discriminator's forward pass runs in float32 on that step. A term that
    differentiates a gradient, but not of the shared judgement, says so by an attribute `second_order = True`.

    A rule about the weights of its player is a regulariser too. It returns None where others return their term, and
    has one or both of two optional methods:

    - `prepare(network)` is called once, before there are optimizers, averages and checkpoints, and may reparametrise
      the network; the generator is prepared in the same way when a trained one is loaded.
    - `after_update(network)` is called after each optimizer step of the player at which the term is due.

    A term with state of its own (moving averages) is an `nn.Module`; its buffers are in every checkpoint.
    """

    player: Player
    weight: float
    interval: int
    differentiates: frozenset[str]

    def __call__(self, step: Step) -> Tensor | None: ...


@runtime_checkable
class Augment(Protocol):
    """Differentiable augmentation, the same for all frames of a clip.

    An adaptive one may define `adapt(real_logits, clips)`, called after each discriminator step with the logits of
    this process, a list of (B, ...), and the number of real clips over all processes. It returns scalars to log, at
    least one; its state is buffers.
    """

    def __call__(self, clip: Clip) -> Clip: ...


@runtime_checkable
class Sampler(Protocol):
    """Which frames of a video one training step sees.

    `frames` is how many it returns; `span` the least length of video it needs.
    """

    frames: int
    span: int

    def __call__(self, available: int, rng: torch.Generator) -> Tensor:
        """Frame indices (T,) int64, increasing, in [0, available)."""
        ...


@runtime_checkable
class Extractor(Protocol):
    """Clip -> features, one tensor for each of its roles. Knows its own resize, range and least length.

    `name` appears in metric names (`fvd/<name>`); `fingerprint` identifies weights, preprocessing and code.
    `roles` are the keys of what it returns. Four are common to many extractors:

    - "clip" (B, D): one vector per clip;
    - "logits" (B, K): class logits of the clip, before the softmax;
    - "frames" (B, T, D): one vector per frame;
    - "frame_logits" (B, T, K): class logits of each frame.

    Others belong to one extractor and bear its name ("color", "flow"). One that can be run in several ways may have a
    `stamp`, which says beside a number how it was ("eps1e-3,tf1").
    """

    name: str
    roles: tuple[str, ...]
    min_frames: int
    fingerprint: str

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> role -> float32, first dimension B. A clip's features do not depend on others."""
        ...
