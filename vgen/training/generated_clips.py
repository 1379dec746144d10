"""The clips of a generator as a finite set, for the evaluation."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vgen import rng
from vgen.clip import GIVEN, Latent, as_generator, is_given, small_size
from vgen.protocol.pixels import Pixels, quantize
from vgen.protocol.store import code_version, weights_hash
from vgen.training.given_frames import GivenFrames


def batches(count: int, batch: int) -> Iterator[Sequence[int]]:
    """The numbers 0, ..., count - 1, `batch` at a time."""
    for start in range(0, count, batch):
        yield range(start, min(start + batch, count))


class GeneratedClips:
    """`count` clips of a generator in evaluation mode: a `ClipSet`; clip i depends on (seed, i) and its label.

    Args:
        generator: on the device it is to run on; its weights may not change while the set is in use.
        times: (T,) in frames.
        labels: (count,) class indices, or None for an unconditional generator.
        seed: of the latents.
        given: what a generator that continues clips is given for each.
        pixels: how floats become bytes (`Standard.pixels`).
        info: what a reader of the result wants to know ("source", "kclips").
    """

    def __init__(
        self,
        generator: nn.Module,
        *,
        count: int,
        times: Tensor,
        labels: Tensor | None = None,
        seed: int = 0,
        given: GivenFrames | None = None,
        pixels: Pixels = "round",
        info: Mapping[str, Any] | None = None,
    ) -> None:
        if count < 1:
            raise ValueError(f"count={count}: must be at least 1")
        if labels is not None and labels.shape != (count,):
            raise ValueError(f"{count} clips need labels of shape ({count},), not {tuple(labels.shape)}")
        if is_given(generator) and given is None:
            raise ValueError(
                "this generator enlarges clips: it must be given small ones"
                if small_size(generator)
                else "this generator continues clips (condition=frames): it must be given their first frames"
            )
        self.generator, self.count, self.seed = generator, count, seed
        self.given = given if is_given(generator) else None
        self.times, self.labels = times, labels
        self.pixels: Pixels = pixels
        self.info = dict(info or {})
        self._identity: dict[str, Any] | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What the clips depend on, weights and code included: made when first asked for, since it reads them all."""
        if self._identity is None:
            self._identity = self._identify()
        return self._identity

    def _identify(self) -> dict[str, Any]:
        labels = None if self.labels is None else self.labels.tolist()
        return {
            "kind": "generated",
            "network": f"{type(self.generator).__module__}.{type(self.generator).__qualname__}",
            "weights": weights_hash(self.generator.state_dict()),
            "code": code_version(sys.modules[__name__], self.generator),
            "times": self.times.tolist(),
            "labels": hashlib.sha256(json.dumps(labels).encode()).hexdigest()[:16],
            "seed": self.seed,
            "pixels": self.pixels,
        } | ({} if self.given is None else {"given": self.given.identity})

    def __len__(self) -> int:
        return self.count

    def read(self, indices: Sequence[int]) -> Tensor:
        """Clips number `indices`: (b, T, H, W, C) uint8 on the CPU."""
        return self.make(self.latents(indices, "sample"), indices)

    def in_batches(self, batch: int, chunk: int | None = None) -> Iterator[Tensor]:
        """All clips, `batch` at a time; long ones made `chunk` frames at a time."""
        for indices in batches(self.count, batch):
            if chunk is not None and self.is_long(chunk):
                yield torch.cat(list(self.read_in_chunks(indices, chunk)), 1)
            else:
                yield self.read(indices)

    def is_long(self, chunk: int) -> bool:
        """Whether a clip has more than `chunk` frames and can be made in parts; one that continues another cannot."""
        contract = as_generator(self.generator)
        return (
            self.given is None
            and contract.reads_times
            and contract.frames is None
            and len(self.times) > chunk
        )

    def read_in_chunks(self, indices: Sequence[int], frames: int) -> Iterator[Tensor]:
        """Clips number `indices`, `frames` frames at a time: (b, t, H, W, C) uint8 on the CPU.

        Only for a generator that reads times: what each chunk takes does not depend on how long the clips are. Equal to
        `read` but for the last digits of what is rounded to bytes.
        """
        for times in self.times.split(frames):
            yield self.make(self.latents(indices, "sample", times), indices, times)

    def latents(self, indices: Sequence[int], stream: str, times: Tensor | None = None) -> Latent:
        """The latents (b, ...) of clips number `indices` in a named stream of the seed, at other times if given, and
        the frames that they continue.
        """
        draw = as_generator(self.generator).sample_latent
        at = (self.times if times is None else times).expand(1, -1)
        rows = [draw(1, at, rng.generator(self.seed, stream, index)) for index in indices]
        drawn = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        return drawn if self.given is None else drawn | {GIVEN: self.given.read(indices)}

    @torch.no_grad()
    def make(self, latent: Latent, indices: Sequence[int], times: Tensor | None = None) -> Tensor:
        """The clips (b, T, H, W, C) of `latent` with the labels of clips number `indices`, at other times if given."""
        return quantize(self._run(self.generator, latent, indices, times), self.pixels).cpu()

    @torch.no_grad()
    def styles(self, latent: Latent, indices: Sequence[int]) -> Tensor:
        """The styles (b, layers, width) of `latent` with the labels of clips number `indices`, on the CPU."""
        return self._run(self.generator.styles, latent, indices).cpu()  # pyright: ignore[reportArgumentType]

    def _run(
        self,
        call: Callable[..., Tensor],
        latent: Latent,
        indices: Sequence[int],
        times: Tensor | None = None,
    ) -> Tensor:
        generator = self.generator
        device = next(generator.parameters()).device
        label = None if self.labels is None else self.labels[torch.as_tensor(indices)].to(device)
        moved = {name: part.to(device) for name, part in latent.items()}
        was_training = generator.training
        generator.eval()
        try:
            at = (self.times if times is None else times).to(device).expand(len(indices), -1)
            return call(moved, at, label)
        finally:
            generator.train(was_training)
