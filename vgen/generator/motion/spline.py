"""StyleSV's motion codes: a B-spline through the neighbourhood of random anchors."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.anchors import AnchorCodes, pick, without_autocast
from vgen.layer.equalized import EqualizedLinear


class SplineMotion(nn.Module):
    """v(t) = sum over the three nearest anchors k of b(t / distance - k) C u_k, b the quadratic B-spline.

    The weights of the anchors are positive and sum to 1, and v and its velocity are continuous, where linear
    interpolation jerks at every anchor. Times may be any real numbers, also negative.

    Source: StyleSV, Zhang et al. 2023 (genforce/StyleSV: the B-spline motion encoder of 3 neighbours and degree
    2, in place of StyleGAN-V's waves); anchors and their codes as in StyleGAN-V.

    Args:
        motion_dim: width of codes v and u.
        noise_dim: width of the noise at each anchor.
        distance: frames between two anchors (StyleSV: 256 for driving videos; StyleGAN-V: 16).
        kernel: of the two convolutions over anchors.
        start: time 0 of a clip is a random one of [0, start) frames on its time line; 0 always starts at anchor 0.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that joins the noise at every anchor; 0 for none.
    """

    frames: int | None = None
    reads_times = True
    moves_content = False

    def __init__(
        self,
        *,
        motion_dim: int = 512,
        noise_dim: int = 512,
        distance: float = 16.0,
        kernel: int = 11,
        start: float = 1024.0,
        content_dim: int = 0,
        label_dim: int = 0,
    ):
        super().__init__()
        self.dim = motion_dim
        self.anchors = AnchorCodes(
            noise_dim=noise_dim,
            dim=motion_dim,
            distance=distance,
            kernel=kernel,
            beside=1,
            start=start,
            label_dim=label_dim,
        )
        self.aligner = EqualizedLinear(motion_dim, motion_dim, bias=False)

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
        aligned = self.aligner(self.anchors(latent, label_code))  # (B, anchors, D)
        index, _, fraction = self.anchors.place(latent, times)
        upper = fraction >= 0.5
        nearest = index + upper.long()
        away = (fraction - upper.to(fraction.dtype))[:, :, None]  # in [-0.5, 0.5)
        weights = 0.5 * (0.5 - away).square(), 0.75 - away.square(), 0.5 * (0.5 + away).square()
        terms = [
            weight * pick(aligned, nearest + step) for step, weight in zip((-1, 0, 1), weights, strict=True)
        ]
        return terms[0] + terms[1] + terms[2]
