"""LongVideoGAN's time line as motion codes: noise through a bank of low-pass filters."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.anchors import pick
from vgen.layer.keyed_noise import clip_seeds, kept_noise
from vgen.layer.label import append_label
from vgen.layer.lowpass_noise import LowpassNoise


class LowpassMotion(nn.Module):
    """v(n) = [noise channel c through filter k] at frame n; linear between two frames. Nothing is learned.

    The filters keep periods of `shortest` to `longest` frames, so that parts of the code change from frame to frame
    and others stay for minutes. Times may be any real numbers, also negative.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429, §3.1 (`vgen.layer.lowpass_noise`). There, the code
    passes a mapping network at every frame (generator=longvideogan); here, it goes to any synthesis network.

    Args:
        noise_channels: of white noise.
        filters: how many see each channel; the code is noise_channels * filters wide.
        shortest, longest: footprints of the filters, in frames.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that is appended to each code; 0 for none.
    """

    frames: int | None = None
    reads_times = True
    moves_content = False

    def __init__(
        self,
        *,
        noise_channels: int = 8,
        filters: int = 128,
        shortest: float = 125.0,
        longest: float = 5000.0,
        content_dim: int = 0,
        label_dim: int = 0,
    ):
        super().__init__()
        self.noise = LowpassNoise(
            channels=noise_channels, filters=filters, shortest=shortest, longest=longest
        )
        self.dim = self.noise.dim + label_dim

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts "motion_first" (B,) int64, the number of a clip's first frame, and "motion_noise" (B, frames,
        noise_channels), which suffices for all times from the least to the greatest of `times` (B, T).
        """
        seeds = clip_seeds(batch, rng)
        least, most = (bound.cpu().double() for bound in times.aminmax())
        first = least.floor().long().expand(batch)
        frames = int((most - least).floor()) + 3  # the next two after the last, wherever the first lies
        return {"motion_first": first, "motion_noise": self.noise.draw(seeds, first, frames)}

    def latent_at(self, latent: Latent, known: Tensor, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts of `latent` for `times` (B, T) on the same time line; noise of further frames is drawn."""
        moved = self.sample_latent(len(times), times, rng)
        noise = kept_noise(
            moved["motion_noise"], moved["motion_first"], latent["motion_noise"], latent["motion_first"]
        )
        return moved | {"motion_noise": noise}

    def check_times(self, times: Tensor) -> None:
        """Any."""

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        codes = self.noise(latent["motion_noise"])  # (B, frames, D)
        position = times.to(torch.promote_types(times.dtype, codes.dtype))
        before = position.floor()
        fraction = (position - before)[:, :, None].to(codes.dtype)
        index = before.long() - latent["motion_first"][:, None]
        between = torch.lerp(pick(codes, index), pick(codes, index + 1), fraction)
        return append_label(between, label_code)
