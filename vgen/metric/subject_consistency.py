"""Subject consistency: how alike the features of a clip's frames stay."""

import torch.nn.functional as F
from torch import Tensor

from vgen.metric.per_clip import PerClip


def subject_consistency(frames: Tensor) -> Tensor:
    """Mean over t >= 1 of (max(0, cos(f_t, f_(t-1))) + max(0, cos(f_t, f_0))) / 2 of every clip, (N,), in [0, 1].

    `frames` (N, T, D): one feature vector per frame. Source: Huang et al., VBench (arXiv 2311.17982), "subject
    consistency"; averaged over the frames of a clip first, so all clips count alike.
    """
    frames = F.normalize(frames, dim=2)
    previous = (frames[:, 1:] * frames[:, :-1]).sum(dim=2).clamp(min=0)
    first = (frames[:, 1:] * frames[:, :1]).sum(dim=2).clamp(min=0)
    return ((previous + first) / 2).mean(dim=1)


class SubjectConsistency(PerClip):
    """`subject_consistency/<extractor>` on one vector per frame of any extractor; VBench takes DINO ViT-B/16.

    Higher is more consistent; a frozen clip has 1, so `dynamic_degree` belongs beside it. Features that are never
    negative (after a rectifier) have high cosines whatever the frames: compare with the real clips' value.
    """

    names = ("subject_consistency",)
    reads = "frames"

    @property
    def stamp(self) -> str:
        return "previous+first"

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        if features.shape[1] < 2:
            raise ValueError("subject consistency needs clips of at least 2 frames, got 1")
        return {"subject_consistency": subject_consistency(features)}
