"""Dynamic degree: which clips move at all, and how fast."""

from torch import Tensor

from vgen.metric.per_clip import PerClip

VBENCH_THRESHOLD = 6 / 256  # of the shorter side, between frames an eighth of a second apart
_TOP = 0.05


def top_speed(flow: Tensor) -> Tensor:
    """Mean speed of the fastest 5 % of the points of every pair of frames: (N, T - 1), shorter sides per frame.

    `flow` (N, T - 1, P, P, 4) is what `vgen.extractor.flow` makes.
    """
    speed = flow[..., :2].norm(dim=-1).flatten(2)  # (N, T - 1, P P)
    count = max(1, round(_TOP * speed.shape[2]))
    return speed.topk(count, dim=2).values.mean(dim=2)


def is_dynamic(speed: Tensor, *, threshold: float) -> Tensor:
    """1 for every clip with `top_speed` (N, n) above `threshold` in at least max(1, round(4 n / 16)) pairs; (N,)."""
    enough = max(1, round(4 * speed.shape[1] / 16))
    return ((speed > threshold).sum(dim=1) >= enough).to(speed.dtype)


class DynamicDegree(PerClip):
    """`dynamic_degree/flow`, the share of clips that move, and `motion_magnitude/flow`, the mean of `top_speed`.

    The first is in [0, 1], higher is more dynamic; it belongs beside every measure of consistency, which a frozen
    clip satisfies perfectly. The second is in shorter sides of the frame per frame; compare it with the real clips'.

    The rule is VBench's (arXiv 2311.17982, "dynamic degree"), the flow is not: VBench takes RAFT, and pairs of
    frames an eighth of a second apart, where this takes Lucas-Kanade without weights and consecutive frames. So these
    are not VBench's numbers. At `rate` frames per second the corresponding threshold is 6/256 * 8 / rate.

    Args:
        threshold: speed above which a pair of frames moves, in shorter sides of the frame per frame.
    """

    names = ("dynamic_degree", "motion_magnitude")
    reads = "flow"
    axes = "clips, pairs of frames, rows, columns, components"

    def __init__(self, *, threshold: float = VBENCH_THRESHOLD) -> None:
        super().__init__()
        if threshold < 0:
            raise ValueError(f"threshold={threshold:g} of the dynamic degree; expected 0 or more")
        self.threshold = threshold

    @property
    def stamp(self) -> str:
        return f"top5%>{self.threshold:.4g}"

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        speed = top_speed(features)
        return {
            "dynamic_degree": is_dynamic(speed, threshold=self.threshold),
            "motion_magnitude": speed.mean(dim=1),
        }
