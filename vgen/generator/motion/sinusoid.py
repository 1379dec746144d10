"""Motion codes as sums of sinusoids, one for each frequency band."""

import math

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.label import append_label


class SinusoidMotion(nn.Module):
    """v(t) = sum over bands b of a_b * sin(2 pi t / P_b + phi_b) / sqrt(bands), entry by entry.

    The periods P_b = shortest_period * 2^b frames are fixed. Amplitudes a_b = A_b z_b and phases
    phi_b = pi B_b z_b follow linearly from each band's noise z_b ~ N(0, I). Any real time will do.

    Source: the frequency-based motion of hse1032 (2023: 7 bands, motion code 512), whose released program
    describes it only as a sum of sinusoids per band; how noise becomes amplitude and phase is chosen here.

    Args:
        motion_dim: width of codes.
        noise_dim: width of the noise of each band.
        bands: number of frequencies.
        shortest_period: of the fastest band, in frames; each further band is half as fast.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that is appended to each code; 0 for none.
    """

    frames: int | None = None
    reads_times = True
    moves_content = False

    periods: Tensor

    def __init__(
        self,
        *,
        motion_dim: int = 512,
        noise_dim: int = 512,
        bands: int = 7,
        shortest_period: float = 4.0,
        content_dim: int = 0,
        label_dim: int = 0,
    ):
        super().__init__()
        if bands < 1 or shortest_period <= 0:
            raise ValueError(
                f"generator.motion.bands={bands}, shortest_period={shortest_period}: both must be positive"
            )
        self.noise_dim = noise_dim
        self.bands = bands
        self.dim = motion_dim + label_dim
        spread = 1 / math.sqrt(noise_dim)
        self.amplitude = nn.Parameter(torch.randn(bands, noise_dim, motion_dim) * spread)
        self.phase = nn.Parameter(torch.randn(bands, noise_dim, motion_dim) * spread)
        self.register_buffer("periods", shortest_period * 2.0 ** torch.arange(bands), persistent=False)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "motion_noise" (B, bands, noise_dim)."""
        return {"motion_noise": torch.randn(batch, self.bands, self.noise_dim, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        """Any."""

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        noise = latent["motion_noise"]
        amplitude, phase = (
            torch.einsum("bfz,fzd->bfd", noise, weight) for weight in (self.amplitude, self.phase)
        )
        turns = times[:, :, None] / self.periods  # (B, T, bands)
        angle = (
            2 * math.pi * (turns - turns.floor())[..., None] + math.pi * phase[:, None]
        )  # (B, T, bands, D)
        codes = (amplitude[:, None] * angle.sin()).sum(2) / math.sqrt(self.bands)
        return append_label(codes, label_code)
