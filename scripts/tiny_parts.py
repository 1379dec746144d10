"""Networks that do almost nothing: a step shows what the trainer costs (`./scripts/bench_train tiny=true`)."""

import torch
from torch import Tensor, nn

from vgen.clip import Clip, Judgement


class TinyGenerator(nn.Module):
    """One number per pixel and clip, from a code of four: video (B, channels, frames, size, size)."""

    classes = 0
    frames: int | None = None
    reads_times = False

    def __init__(self, *, size: int, channels: int):
        super().__init__()
        self.shape = (channels, 1, size, size)
        self.paint = nn.Linear(4, channels * size * size)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        return {"z": torch.randn(batch, 4, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        pass

    def forward(self, latent: dict[str, Tensor], times: Tensor, label: Tensor | None = None) -> Tensor:
        picture = self.paint(latent["z"]).tanh().unflatten(1, self.shape)
        return picture.expand(-1, -1, times.shape[1], -1, -1)


class TinyDiscriminator(nn.Module):
    """A linear judge of the average frame."""

    def __init__(self, *, size: int, channels: int):
        super().__init__()
        self.judge = nn.Linear(channels * size * size, 1)

    def forward(self, clip: Clip) -> Judgement:
        return Judgement({"video": self.judge(clip.video.mean(2).flatten(1))[:, 0]})
