"""Average content distance (ACD): how far apart the content of a clip's frames is."""

from typing import Literal

import torch
from torch import Tensor

from vgen.metric.per_clip import PerClip


def content_distance(frames: Tensor) -> Tensor:
    """Mean over all pairs s < t of |c_s - c_t|_2 of every clip: (N,), in the unit of the features.

    `frames` (N, T, D): mean colours (D = 3) or an embedding of each frame. Source: Tulyakov et al., MoCoGAN
    (arXiv 1707.04993), section 4: "average pairwise L2 distance of the per-frame average color vectors".
    """
    # Euclidean distances from differences: a clip without change then has exactly 0
    apart = torch.cdist(frames, frames, compute_mode="donot_use_mm_for_euclid_dist")
    count = frames.shape[1]
    return apart.sum(dim=(1, 2)) / (count * (count - 1))


def consecutive_distance(frames: Tensor) -> Tensor:
    """Mean over t of |c_t - c_(t-1)|_2 of every clip, (N,): how others read ACD."""
    return (frames[:, 1:] - frames[:, :-1]).norm(dim=2).mean(dim=1)


class ContentDistance(PerClip):
    """`acd`, over all pairs of frames as MoCoGAN's text says, and `acd_consecutive`; lower is more consistent.

    On "color" the unit is grey levels (0 to 255) of the frame's mean colour; on "frames" that of the extractor's
    features. 0 is a frozen clip and no better than the real clips' value, which is the reference (`Estimate.real`):
    look at `dynamic_degree` beside it.

    Args:
        reads: "color", the mean colour of each frame, or "frames", an embedding of each frame.
    """

    names = ("acd", "acd_consecutive")

    def __init__(self, *, reads: Literal["color", "frames"] = "color") -> None:
        super().__init__()
        if reads not in ("color", "frames"):
            raise ValueError(f"reads={reads!r} of the average content distance; choose color or frames")
        self.reads = reads

    @property
    def stamp(self) -> str:
        return "L2"

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        if features.shape[1] < 2:
            raise ValueError("the average content distance needs clips of at least 2 frames, got 1")
        return {"acd": content_distance(features), "acd_consecutive": consecutive_distance(features)}
