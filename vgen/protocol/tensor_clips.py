"""Clips that are in memory, as a set to evaluate."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class TensorClips:
    """A `ClipSet` (vgen.protocol.contract) of pixels: what a sampling script has at hand.

    Args:
        pixels: (N, T, H, W, C) uint8.
        labels: (N,) class of each clip, or None.
        info: what a reader of the result wants to know ("source", "fps").

    Raises:
        ValueError: pixels of another shape or type, labels of another number.
    """

    def __init__(
        self, pixels: Tensor, *, labels: Tensor | None = None, info: Mapping[str, Any] | None = None
    ) -> None:
        if pixels.ndim != 5 or pixels.dtype != torch.uint8:
            raise ValueError(
                f"clips are {pixels.dtype} of shape {tuple(pixels.shape)}; expected uint8 (N, T, H, W, C)"
            )
        if labels is not None and labels.shape != pixels.shape[:1]:
            raise ValueError(f"{len(pixels)} clips came with labels of shape {tuple(labels.shape)}")
        self.pixels = pixels.detach().cpu()
        self.labels = labels
        digest = hashlib.blake2b(digest_size=16)
        for clip in self.pixels:
            digest.update(clip.contiguous().numpy().data)
        self.identity: dict[str, Any] = {
            "kind": "tensor", "shape": list(pixels.shape), "content": digest.hexdigest()
        }  # fmt: skip
        self.info: dict[str, Any] = {"source": "memory", **(info or {})}

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, indices: Sequence[int]) -> Tensor:
        """Clips number `indices`: (b, T, H, W, C) uint8."""
        return self.pixels[torch.as_tensor(indices)]
