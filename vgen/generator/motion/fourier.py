"""StyleGAN-V's motion codes: waves between random anchors, whose speed and phase the anchors set."""

import math

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.anchors import AnchorCodes, pick, without_autocast
from vgen.layer.equalized import EqualizedLinear


class FourierMotion(nn.Module):
    """v(t) = e(t) - lerp(e(t_l), e(t_r)) + lerp(C u_l, C u_r): the "acyclic" time encoding of StyleGAN-V.

    t_l and t_r are the anchors around t and u_l, u_r their codes. e(s) = [sin x, cos x] with
    x = f * (tanh(A u_l) + 1) * s + (B u_l) * longest_period / period, over frequencies f = 2 pi / period with
    periods log-spaced from `shortest_period` to `longest_period` frames. So v equals the learned vector C u at
    anchors, is continuous everywhere, and never repeats. Times may be any real numbers, also negative.

    Source: Skorokhodov et al. 2022, arXiv 2112.14683, §3.1, and universome/stylegan-v:
    src/training/motion.py, where A, B and C have no bias and the convolutions a learning rate times 0.01.

    Args:
        motion_dim: width of codes v and u; even.
        noise_dim: width of the noise at each anchor.
        distance: frames between two anchors (16; 256 for slow data such as skies).
        kernel: of the two convolutions over anchors.
        shortest_period, longest_period: of the waves, in frames.
        start: time 0 of a clip is a random one of [0, start) frames on its time line; the published run trains
            on offsets up to 1024. 0 always starts at anchor 0.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that joins the noise at every anchor; 0 for none.
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
        distance: float = 16.0,
        kernel: int = 11,
        shortest_period: float = 16.0,
        longest_period: float = 1024.0,
        start: float = 1024.0,
        content_dim: int = 0,
        label_dim: int = 0,
    ):
        super().__init__()
        if motion_dim % 2:
            raise ValueError(f"generator.motion.motion_dim={motion_dim}: must be even, for sines and cosines")
        if not 0 < shortest_period <= longest_period:
            raise ValueError(
                f"generator.motion.shortest_period={shortest_period} must be positive and not above "
                f"longest_period={longest_period}"
            )
        self.dim = motion_dim
        self.anchors = AnchorCodes(
            noise_dim=noise_dim,
            dim=motion_dim,
            distance=distance,
            kernel=kernel,
            start=start,
            label_dim=label_dim,
        )
        waves = motion_dim // 2
        self.speed = EqualizedLinear(motion_dim, waves, bias=False)  # A
        self.phase = EqualizedLinear(motion_dim, waves, bias=False)  # B
        self.aligner = EqualizedLinear(motion_dim, motion_dim, bias=False)  # C
        periods = torch.logspace(math.log2(shortest_period), math.log2(longest_period), waves, base=2.0)
        self.register_buffer("periods", periods, persistent=False)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts "motion_start", "motion_first" and "motion_noise" of `AnchorCodes`."""
        return self.anchors.sample_latent(batch, times, rng)

    def latent_at(self, latent: Latent, known: Tensor, times: Tensor, rng: torch.Generator) -> Latent:
        """As of `AnchorCodes`."""
        return self.anchors.latent_at(latent, known, times, rng)

    def check_times(self, times: Tensor) -> None:
        """Any."""

    @without_autocast
    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        codes = self.anchors(latent, label_code)  # u (B, anchors, D)
        index, anchor, fraction = self.anchors.place(latent, times)
        aligned = self.aligner(codes)
        here, there = pick(aligned, index), pick(aligned, index + 1)  # (B, T, D)
        frequency = 2 * math.pi / self.periods * pick(self.speed(codes).tanh() + 1, index)  # (B, T, D/2)
        phase = pick(self.phase(codes), index) * (self.periods.max() / self.periods)

        def wave(position: Tensor) -> Tensor:
            angle = frequency * (position * self.anchors.distance)[:, :, None] + phase
            return torch.cat([angle.sin(), angle.cos()], 2)

        between = fraction[:, :, None]
        left, right = here - wave(anchor), there - wave(anchor + 1)
        return wave(anchor + fraction) + left + between * (right - left)
