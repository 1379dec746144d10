"""The colour-similarity curve: how much of the first frame's colours is left after t frames."""

import torch
from torch import Tensor

from vgen.metric.per_clip import PerClip


def curve(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (T,) over clips of S(t), and its standard deviation (T,), float64: the curve and its band.

    `similarity` (N, T), N >= 2, is what `vgen.extractor.histogram` makes: the intersection of the colour histograms
    of frame t and frame 0, in [0, 1], S(0) = 1. Source: Brooks et al., Generating Long Videos of Dynamic Scenes
    (arXiv 2206.03429), section 5, on 1000 clips of 128 frames.
    """
    similarity = similarity.detach().to("cpu", torch.float64)
    return similarity.mean(dim=0), similarity.std(dim=0)


class ColorSimilarity(PerClip):
    """`color_similarity`, the mean of S(t) over t >= 1, and `color_similarity_last`, S(T - 1): both in [0, 1].

    Neither way is better: colours that change less than in real clips are as wrong as colours that change more, so
    compare with the real clips' value. It says something of long clips above all. `curve` gives the whole curve.
    """

    names = ("color_similarity", "color_similarity_last")
    reads = "histogram"
    axes = "clips, frames"

    @property
    def stamp(self) -> str:
        return "to frame 0"

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        if features.shape[1] < 2:
            raise ValueError("the colour similarity needs clips of at least 2 frames, got 1")
        return {"color_similarity": features[:, 1:].mean(dim=1), "color_similarity_last": features[:, -1]}
