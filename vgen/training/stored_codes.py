"""The codes of one clip as a file, and a generator that makes clips of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vgen.clip import GIVEN, Latent, as_generator, given_frames
from vgen.files import replacing
from vgen.layer.wrapped import Wrapped
from vgen.training.changing import Changing
from vgen.training.latent_at import latent_at
from vgen.training.truncated import Truncated

FORMAT = "vgen codes 1"
Take = Literal["all", "content", "motion"]


@dataclass(frozen=True)
class Codes:
    """What one clip is made of.

    Attributes:
        latent: the parts of a generator's latent, (1, ...); "w" where styles stand in place of the content.
        times: (T,) for which they were found, in frames.
        label: the class, or None.
        info: what a reader wants to know: "checkpoint", "weights", "psnr".
    """

    latent: Latent
    times: Tensor
    label: int | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


def save_codes(file: str | PathLike[str], codes: Codes) -> None:
    """Write a safetensors file, whole or not at all."""
    tensors = {f"latent.{name}": part.detach().cpu().contiguous() for name, part in codes.latent.items()}
    # One entry: several would come in any order, and the same codes in files of different bytes.
    meta = {FORMAT: json.dumps({"label": codes.label, "info": dict(codes.info)})}
    with replacing(file) as partial:
        save_file({**tensors, "times": codes.times.cpu().contiguous()}, partial, metadata=meta)


def load_codes(file: str | PathLike[str]) -> Codes:
    """Raises FileNotFoundError, or ValueError for a file that `save_codes` has not written."""
    try:
        with safe_open(file, framework="pt") as opened:
            meta: dict[str, str] = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {file}") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} is damaged or no safetensors file ({error})") from error
    if FORMAT not in meta:
        raise ValueError(f"{file} holds no codes: give the codes.safetensors of vgen project")
    times = tensors.pop("times")
    latent = {name.removeprefix("latent."): part for name, part in tensors.items()}
    told = json.loads(meta[FORMAT])
    return Codes(latent, times, told["label"], told["info"])


class Recalled(Wrapped):
    """A generator whose latents are stored codes instead of draws; itself a `Generator`.

    At other times the same clip goes on: what it lacks is drawn (`latent_at`). With `take` "content" or "motion" only
    those parts are recalled, and the others are drawn: the same content with other motions, or the reverse.

    Raises:
        ValueError: the codes are of another generator, or have no such parts.
    """

    def __init__(self, generator: nn.Module, codes: Codes, *, take: Take = "all"):
        super().__init__(generator)
        self.codes = codes
        moving = {name for name in codes.latent if name.startswith("motion")}
        chosen = {"all": set(codes.latent), "motion": moving, "content": codes.latent.keys() - moving}[take]
        if not chosen or (take == "motion" and len(chosen) == len(codes.latent)):
            raise ValueError(f"take={take}: these codes do not tell motion from content")
        self.kept = {name: part for name, part in codes.latent.items() if name in chosen}
        self.given_frames = 0 if GIVEN in self.kept else given_frames(generator)
        self._check()

    def _check(self) -> None:
        drawn = as_generator(self.generator).sample_latent(1, self.codes.times[None], torch.Generator())
        expected = {name: tuple(part.shape) for name, part in drawn.items()}
        if self.style_shape is not None:
            expected["w"] = (1, *self.style_shape)
        for name, part in self.codes.latent.items():
            if name != GIVEN and expected.get(name) != tuple(part.shape):
                there = expected.get(name, "missing")
                raise ValueError(
                    f"these codes are of another model: {name} is {tuple(part.shape)} there and {there} here"
                )

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        latent = super().sample_latent(batch, times, rng.clone_state())
        own = latent_at(self.generator, self.codes.latent, self.codes.times, times.expand(batch, -1), rng)
        return latent | {name: own[name] for name in self.kept}


def drawing(generator: nn.Module) -> nn.Module:
    """The generator within that draws all of its latents, as it was trained."""
    inner = generator
    while isinstance(inner, Recalled | Truncated | Changing):
        inner = inner.generator
    return inner
