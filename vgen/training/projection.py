"""A video -> the codes of a generator that make it, by optimisation."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen import rng
from vgen.clip import Latent, as_generator, from_pixels, noise_parts, style_shape, to_pixels
from vgen.training.mean_style import mean_style

Space = Literal["z", "w", "w+"]
Perceptual = Callable[[Tensor], Tensor]  # frames (N, C, H, W) in [-1, 1] -> features (N, D)
LEAST = 8  # pixels: the coarsest size at which clips are compared
CEILING = 1e-6  # of the mean squared error in grey levels: PSNR ends at 108 dB


@dataclass(frozen=True)
class Search:
    """How codes are looked for; the schedule is StyleGAN2's (Karras et al. 2020, arXiv 1912.04958, appendix D).

    Attributes:
        steps: of Adam.
        lr: its learning rate: rising from 0 over the first `ramp_up` of the steps, falling to 0 as a cosine over the
            last `ramp_down`.
        space: what stands for the content: "z" the noise itself; "w" one style, or "w+" one for each layer, of
            generators that have them.
        noise: added to the codes: its size in radii of their distribution, falling as (1 - t / `noise_until`)^2.
        starts: draws that are tried first; the search begins with the best.
        mean_samples: draws for the mean style.
        pixels: weight of the squared error, a mean over sizes halved down to 8 pixels.
        perceptual: weight of the squared distance of features, where there are any.
        prior: weight of how far codes of noise are longer than draws are.
    """

    steps: int = 500
    lr: float = 0.1
    space: Space = "z"
    noise: float = 0.05
    noise_until: float = 0.75
    ramp_up: float = 0.05
    ramp_down: float = 0.25
    starts: int = 16
    mean_samples: int = 1000
    pixels: float = 1.0
    perceptual: float = 1.0
    prior: float = 0.01

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        t = step / self.steps
        down = min(1.0, (1 - t) / self.ramp_down) if self.ramp_down else 1.0
        up = min(1.0, t / self.ramp_up) if self.ramp_up else 1.0
        return self.lr * (0.5 - 0.5 * math.cos(math.pi * down)) * up

    def noise_at(self, step: int) -> float:
        """Size of the noise of a step, in radii."""
        left = 1 - step / self.steps / self.noise_until if self.noise_until else 0.0
        return self.noise * max(0.0, left) ** 2


class Projection:
    """The search for the codes of one video; what it does at a step follows from the seed, the step and its state.

    Args:
        generator: in evaluation mode, its weights frozen, on the device it is to run on.
        target: (T, H, W, C) uint8.
        times: (T,) in frames.
        search: how.
        seed: of starts and noise.
        label: class of the video; None lets a conditional generator try all of them among the starts.
        fixed: parts of the latent that are known, (1, ...): the frames that are given.
        features: perceptual features, or None.

    Raises:
        ValueError: a space that the generator does not have; a latent without numbers.
    """

    def __init__(
        self,
        generator: nn.Module,
        target: Tensor,
        times: Tensor,
        *,
        search: Search,
        seed: int = 0,
        label: int | None = None,
        fixed: Latent | None = None,
        features: Perceptual | None = None,
    ):
        if search.space != "z" and style_shape(generator) is None:
            raise ValueError(f"space={search.space}: this generator has no styles; take space=z")
        self.generator, self.search, self.seed = generator, search, seed
        self.device = next(generator.parameters()).device
        self.pixels, self.times = target, times
        self.target = from_pixels(target[None]).to(self.device)  # (1, C, T, H, W)
        self.at = times[None].to(self.device)
        self.features = features
        self.aim = None if features is None else features(_frames(self.target)).detach()
        self.fixed = {name: part.to(self.device) for name, part in (fixed or {}).items()}
        self.label = label
        self.step = 0
        self.history: list[float] = []
        self._begin()

    def _begin(self) -> None:
        """The best of some draws: where the search starts."""
        contract = as_generator(self.generator)
        classes = [self.label] if self.label is not None else list(range(contract.classes)) or [None]
        tried: list[tuple[float, int | None, Latent]] = []
        means: dict[int | None, tuple[Tensor, float]] = {}
        for number in range(max(self.search.starts, len(classes))):
            label = classes[number % len(classes)]
            drawn = contract.sample_latent(1, self.times[None], rng.generator(self.seed, "start", number))
            latent = {name: part.to(self.device) for name, part in drawn.items()} | self.fixed
            if self.search.space != "z":
                if label not in means:
                    given = {name: part.cpu() for name, part in self.fixed.items()}
                    tensor = None if label is None else torch.tensor([label])
                    means[label] = mean_style(
                        self.generator,
                        times=self.times[None],
                        label=tensor,
                        fixed=given,
                        seed=self.seed,
                        count=self.search.mean_samples,
                    )
                latent["w"] = means[label][0][None].to(self.device)
            with torch.no_grad():
                tried.append((float(self._distance(self._make(latent, label))), label, latent))
        _, self.label, latent = min(tried, key=lambda entry: entry[0])
        numbers = {n: p for n, p in noise_parts(latent).items() if n not in self.fixed and p.numel()}
        if not numbers:
            raise ValueError("this generator's latent holds no numbers that could be looked for")
        self.radii = {name: _radius(part) for name, part in numbers.items()}
        self.lengths = dict(self.radii)
        if "w" in numbers:
            self.radii["w"] = means[self.label][1]
            del self.lengths["w"]
            if self.search.space == "w":
                numbers["w"] = numbers["w"][:, :1]
        self.still = {name: part for name, part in latent.items() if name not in numbers}
        self.moving = {n: p.detach().clone().requires_grad_() for n, p in numbers.items()}
        self._leave_out_what_is_not_read()
        self.optimizer = torch.optim.Adam(list(self.moving.values()), lr=self.search.lr, betas=(0.9, 0.999))

    def _leave_out_what_is_not_read(self) -> None:
        # The content, where a style stands in its place, unless the motion reads it.
        loss = self._distance(self._make(self.latent(), self.label))
        slopes = torch.autograd.grad(loss, list(self.moving.values()), allow_unused=True)
        for name, slope in zip(list(self.moving), slopes, strict=True):
            if slope is None:
                self.still[name] = self.moving.pop(name).detach()
                self.lengths.pop(name, None)

    def latent(self, moved: Mapping[str, Tensor] | None = None) -> Latent:
        """All parts of the latent, styles for each layer."""
        latent = self.still | dict(self.moving if moved is None else moved)
        if self.search.space == "w":
            layers = style_shape(self.generator)
            assert layers is not None
            latent["w"] = latent["w"].expand(-1, layers[0], -1)
        return latent

    def advance(self) -> float:
        """One step; returns its loss."""
        rate, size = self.search.rate(self.step), self.search.noise_at(self.step)
        stream = rng.generator(self.seed, "noise", self.step)
        moved = {}
        for name, part in self.moving.items():
            noise = torch.randn(part.shape, generator=stream).to(part)
            moved[name] = part + noise * (self.radii[name] * size)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._distance(self._make(self.latent(moved), self.label)) + self.search.prior * self._excess()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self.history.append(float(loss.detach()))
        if not math.isfinite(self.history[-1]):
            raise ValueError(f"the loss of step {self.step} is {self.history[-1]}: take a smaller lr")
        return self.history[-1]

    @torch.no_grad()
    def clip(self) -> Tensor:
        """What the codes make: (T, H, W, C) uint8 on the CPU."""
        return to_pixels(self._make(self.latent(), self.label))[0].cpu()

    def state_dict(self) -> dict[str, Any]:
        """All that the next steps depend on, as plain values and tensors."""
        return {
            "step": self.step,
            "label": self.label,
            "history": self.history,
            "still": self.still,
            "moving": {name: part.detach() for name, part in self.moving.items()},
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises ValueError, and leaves the search as it is, for the state of a search for other parts."""
        there, here = (
            {n: part.shape for n, part in parts.items()} for parts in (state["moving"], self.moving)
        )
        if there != here:
            raise ValueError(f"it searches for {', '.join(there)} and not for {', '.join(here)}")
        self.step, self.label, self.history = state["step"], state["label"], list(state["history"])
        self.still = {name: part.to(self.device) for name, part in state["still"].items()}
        with torch.no_grad():
            for name, part in state["moving"].items():
                self.moving[name].copy_(part)
        self.optimizer.load_state_dict(state["optimizer"])

    def _make(self, latent: Latent, label: int | None) -> Tensor:
        labels = None if label is None else torch.tensor([label], device=self.device)
        return self.generator(latent, self.at, labels)

    def _distance(self, video: Tensor) -> Tensor:
        # Bytes end at -1 and 1; a generator may have made more there, and nobody can see how much.
        beyond = (self.target.abs() >= 1) & (video * self.target > 1)
        video = torch.where(beyond, self.target, video)
        loss = self.search.pixels * pyramid_distance(video, self.target)
        if self.features is not None and self.aim is not None:
            apart = (self.features(_frames(video)) - self.aim).square().sum(1).mean()
            loss = loss + self.search.perceptual * apart
        return loss

    def _excess(self) -> Tensor:
        excess = torch.zeros((), device=self.device)
        for name, length in self.lengths.items():
            longer = self.moving[name].square().sum(-1).mean().sqrt() / length - 1
            excess = excess + longer.clamp(min=0).square()
        return excess


def pyramid_distance(one: Tensor, two: Tensor) -> Tensor:
    """Mean over sizes, each half the last, of the mean squared difference of clips (B, C, T, H, W)."""
    one, two = _frames(one), _frames(two)
    terms = [(one - two).square().mean()]
    while min(one.shape[2:]) >= 2 * LEAST:
        one, two = F.avg_pool2d(one, 2), F.avg_pool2d(two, 2)
        terms.append((one - two).square().mean())
    return torch.stack(terms).mean()


def psnr(one: Tensor, two: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each frame (T,) of clips (T, H, W, C) uint8; 108 for equal ones."""
    error = (one.double() - two.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(255.0**2 / error.clamp(min=CEILING))


def _frames(video: Tensor) -> Tensor:
    return video.transpose(1, 2).flatten(0, 1)


def _radius(part: Tensor) -> float:
    """Root mean square length of the rows of a part."""
    return float(part.double().square().sum(-1).mean().sqrt())
