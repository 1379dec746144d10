"""STREAM: temporal naturalness, and spatial fidelity and diversity, from the spectrum of frame features."""

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate, block_jackknife, deal_blocks
from vgen.metric.precision_recall import PrecisionRecall
from vgen.metric.two_sets import TwoSets, check_pair

AXES = "clips, frames, features"
BINS = 50
NEIGHBOUR = 5


def spectral_statistics(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Skewness and mean signal of frame features (N, T, D): two (N, D), float64.

    With the amplitude a_f = 2 |FFT_f| / (1 + floor(T/2)) of each feature over time, f = 0..T/2, the mean signal is
    a_0 and the skewness that of the power law a_f + 1e-6 ~ A f^B fitted to f >= 1 by least squares on logarithms:
    sum f^(B+3) / (sqrt(1 / sum f^B) sqrt(sum f^(B+2))). Raises ValueError for fewer than 4 frames.
    """
    if frames.shape[1] < 4:
        raise ValueError(
            f"clips of {frames.shape[1]} frames have no spectrum to fit; stream needs at least 4"
        )
    half = frames.shape[1] // 2
    skewness, signal = [], []
    f = torch.arange(1, half + 1, dtype=torch.float64)[:, None]
    centred = f.log() - f.log().mean()
    for some in frames.detach().split(64):
        spectrum = torch.fft.rfft(some.to("cpu", torch.float64), dim=1)
        amplitude = 2 * spectrum.abs() / (1 + half)  # (n, 1 + T/2, D)
        signal.append(amplitude[:, 0])
        decay = (centred * (amplitude[:, 1:] + 1e-6).log()).sum(dim=1, keepdim=True) / centred.square().sum()
        power = f**decay  # (n, T/2, D)
        moments = [(power * f**order).sum(dim=1) for order in (0, 2, 3)]
        skewness.append(moments[2] * (moments[0] / moments[1]).sqrt())
    return torch.cat(skewness), torch.cat(signal)


class Stream(TwoSets):
    """STREAM as a torchmetrics metric: `stream_t`, `stream_f` and `stream_d`, each from 0 to 1, 1 the best.

    T: squared correlation of the 50-bin histograms of real and fake skewness, mean over features. F and D:
    precision and recall (open balls, k = 5) of the mean signal. Standard errors are block jackknifes; that of T
    keeps the bins of all clips. A feature that never changes in any clip has skewness of one value on both sides
    and counts as perfectly natural. It is meant for some thousand clips, as many on either side.

    Differs from the authors' code in float64 instead of float32 arithmetic, and in dividing each histogram by its
    own number of clips instead of the fakes' (which a squared correlation does not see).
    Source: Kim et al., STREAM: Spatio-TempoRal Evaluation
    and Analysis Metric for Video Generative Models (arXiv 2403.09669), on SwAV or DINOv2 frames.
    """

    names = ("stream_t", "stream_f", "stream_d")
    reads = "frames"

    @property
    def stamp(self) -> str:
        return f"{BINS}bins,k{NEIGHBOUR},<"

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """T, F and D of real (N, T, D) and fake (M, T, D) features of frames."""
        check_pair(real, fake, axes=AXES)
        if real.shape[1] != fake.shape[1]:
            raise ValueError(
                f"real clips have {real.shape[1]} frames, fake clips {fake.shape[1]}; "
                "stream compares spectra of one length"
            )
        real_skewness, real_signal = spectral_statistics(real)
        fake_skewness, fake_signal = spectral_statistics(fake)
        spatial = PrecisionRecall(k=NEIGHBOUR, closed=False).measure(real_signal, fake_signal)
        return {
            "stream_t": _temporal(real_skewness, fake_skewness),
            "stream_f": spatial["precision"],
            "stream_d": spatial["recall"],
        }


def _temporal(real: Tensor, fake: Tensor, blocks: int = 32) -> Estimate:
    """Squared correlation of the histograms of (N, D) and (M, D), mean over D."""
    low = torch.minimum(real.amin(dim=0), fake.amin(dim=0)).trunc() - 1
    high = torch.maximum(real.amax(dim=0), fake.amax(dim=0)).trunc() + 1
    blocks = min(blocks, len(real), len(fake))
    counts = [_histograms(side, low, high, blocks) for side in (real, fake)]
    totals = [of_blocks.sum(dim=0) for of_blocks in counts]
    value = _squared_correlation(*totals)
    if blocks < 3:
        return Estimate(value)

    def without(block: int) -> float:
        return _squared_correlation(*(total - of[block] for total, of in zip(totals, counts, strict=True)))

    return Estimate(value, block_jackknife(value, without, blocks).standard_error)


def _histograms(values: Tensor, low: Tensor, high: Tensor, blocks: int) -> Tensor:
    """Counts (blocks, D, bins) of values (N, D) in equal bins from low (D,) to high (D,)."""
    clips, dim = values.shape
    bins = ((values - low) / (high - low) * BINS).long().clamp_(0, BINS - 1)
    cell = (deal_blocks(clips, blocks)[:, None] * dim + torch.arange(dim)) * BINS + bins
    return torch.bincount(cell.flatten(), minlength=blocks * dim * BINS).reshape(blocks, dim, BINS).double()


def _squared_correlation(x: Tensor, y: Tensor) -> float:
    x, y = (side / side.sum(dim=1, keepdim=True) for side in (x, y))
    x, y = (side - side.mean(dim=1, keepdim=True) for side in (x, y))
    spread = x.square().sum(dim=1) * y.square().sum(dim=1)
    return float(((x * y).sum(dim=1).square() / spread.clamp_min(1e-24)).mean())
