"""Temporal flickering: how little consecutive frames differ, pixel by pixel."""

from torch import Tensor

from vgen.metric.per_clip import PerClip


def temporal_flickering(change: Tensor) -> Tensor:
    """(255 - mean_t d_t) / 255 of every clip (N,), where d_t = mean |f_t - f_(t-1)| in grey levels.

    `change` (N, T - 1, 3) is what `vgen.extractor.change` makes; d_t stands at [..., 0]. The value is in [0, 1].
    Source: Huang et al., VBench (arXiv 2311.17982), "temporal flickering".
    """
    return 1 - change[:, :, 0].mean(dim=1) / 255


class TemporalFlickering(PerClip):
    """`temporal_flickering/change`: higher is steadier, 1 is a frozen clip.

    It cannot tell flicker from motion: VBench therefore keeps static clips only. Here all clips count, so compare
    with the real clips' value (`Estimate.real`) and look at `dynamic_degree` beside it.
    """

    names = ("temporal_flickering",)
    reads = "change"
    axes = "clips, pairs of frames, differences"

    @property
    def stamp(self) -> str:
        return "all clips"

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        return {"temporal_flickering": temporal_flickering(features)}
