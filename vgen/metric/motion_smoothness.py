"""Motion smoothness: how well every other frame lies halfway between its neighbours."""

from torch import Tensor

from vgen.metric.per_clip import PerClip


def motion_smoothness(errors: Tensor) -> Tensor:
    """(255 - mean_t e_t) / 255 of every clip (N,), where e_t = mean |f_t - g_t| in grey levels, t = 1, 3, 5, ...

    g_t is frame t as interpolated from frames t - 1 and t + 1 along their optical flow; `errors` (N, n) is what
    `vgen.extractor.interpolation` makes. The value is in [0, 1].
    """
    return 1 - errors.mean(dim=1) / 255


class MotionSmoothness(PerClip):
    """`motion_smoothness/interpolation`: higher is smoother, 1 is a frozen clip.

    The formula is VBench's (arXiv 2311.17982, "motion smoothness") without its weights: VBench interpolates with the
    trained network AMT-S at full size and in colour, this warps grey frames of the extractor's working size halfway
    along their flow. So these are not VBench's numbers. Noise and flicker lower it too, and what is slow is smooth:
    compare with the real clips' value, with `dynamic_degree` beside it.
    """

    names = ("motion_smoothness",)
    reads = "interpolation"
    axes = "clips, frames"

    @property
    def stamp(self) -> str:
        return "flow interpolation"

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        return {"motion_smoothness": motion_smoothness(features)}
