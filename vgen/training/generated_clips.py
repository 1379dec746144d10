"""The clips of a generator as a finite set, for the evaluation."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vgen import rng
from vgen.clip import GIVEN, Latent, as_generator, given_frames
from vgen.protocol.pixels import Pixels, quantize
from vgen.protocol.store import code_version, weights_hash
from vgen.training.given_frames import GivenFrames


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
        if given_frames(generator) and given is None:
            raise ValueError(
                "this generator continues clips (condition=frames): it must be given their first frames"
            )
        self.generator, self.count, self.seed = generator, count, seed
        self.given = given if given_frames(generator) else None
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

    def latents(self, indices: Sequence[int], stream: str) -> Latent:
        """The latents (b, ...) of clips number `indices` in a named stream of the seed, and what they are given."""
        draw, times = as_generator(self.generator).sample_latent, self.times.expand(1, -1)
        rows = [draw(1, times, rng.generator(self.seed, stream, index)) for index in indices]
        drawn = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        return drawn if self.given is None else drawn | {GIVEN: self.given.read(indices)}

    @torch.no_grad()
    def make(self, latent: Latent, indices: Sequence[int]) -> Tensor:
        """The clips (b, T, H, W, C) of `latent` with the labels of clips number `indices`."""
        generator = self.generator
        device = next(generator.parameters()).device
        label = None if self.labels is None else self.labels[torch.as_tensor(indices)].to(device)
        moved = {name: part.to(device) for name, part in latent.items()}
        was_training = generator.training
        generator.eval()
        try:
            made = generator(moved, self.times.to(device).expand(len(indices), -1), label)
            return quantize(made, self.pixels).cpu()
        finally:
            generator.train(was_training)
