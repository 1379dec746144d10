"""Clips in memory and an extractor that counts: enough of both to see what the engine does."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Tensors:
    """A ClipSet of pixels that are there."""

    def __init__(self, pixels: Tensor, name: str = "tensors", labels: Tensor | None = None, **info) -> None:
        self.pixels, self.labels, self.info = pixels, labels, info
        self.identity = {"name": name, "sum": int(pixels.long().sum())}
        self.reads: list[int] = []

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, indices: Sequence[int]) -> Tensor:
        self.reads += indices
        return self.pixels[torch.tensor(indices)]


class Colours:
    """Mean colour and brightness of the ends, and of every frame; it counts the clips it sees."""

    name, min_frames, fingerprint = "colours", 2, "c" * 64
    roles = ("clip", "frames")

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        self.seen += len(pixels)
        frames = pixels.float().mean(dim=(2, 3)) / 255
        return {"clip": frames[:, [0, -1]].flatten(1), "frames": frames}


class Brightness(Colours):
    name, fingerprint, roles = "brightness", "b" * 64, ("clip",)

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        self.seen += len(pixels)
        return {"clip": pixels.float().mean(dim=(3, 4)).std(dim=2) / 255}


def pixels(count: int, seed: int, frames: int = 4, size: tuple[int, int] = (8, 8)) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    shade = torch.rand(count, frames, 1, 1, 3, generator=rng) * 155
    return (shade + 100 * torch.rand(count, frames, *size, 3, generator=rng)).to(torch.uint8)
