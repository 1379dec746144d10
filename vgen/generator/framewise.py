"""Content x motion: one content code per clip, one motion code per frame, one network that paints frames."""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.label import one_hot


class Motion(Protocol):
    """Latent -> a code of width `dim` per frame. `frames` is the only length it can make, or None for any.

    `reads_times` as in `vgen.clip.Generator`.
    """

    dim: int
    frames: int | None
    reads_times: bool

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """Named parts (not "content"), each with first dimension `batch`, drawn on the CPU from `rng`."""
        ...

    def check_times(self, times: Tensor) -> None:
        """Raise ValueError, saying why and what to choose instead, if it cannot do `times` (B, T)."""
        ...

    def __call__(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        """Codes (B, T, dim) at `times` (B, T); `label_code` is (B, label_dim), None if that is 0."""
        ...


class Synthesis(Protocol):
    """Codes (N, Z) -> frames (N, C, H, W) in [-1, 1]."""

    def __call__(self, code: Tensor) -> Tensor: ...


class Framewise(nn.Module):
    """Any motion source drives any synthesis network (scheme: MoCoGAN, Tulyakov et al. 2018, §3).

    The code of frame t is [content, motion(t)], or [content, label, motion(t)] with `label_to="synthesis"`.

    Args:
        motion: called as `motion(label_dim=...)`, gives a `Motion`.
        synthesis: called as `synthesis(code_dim=...)`, gives a `Synthesis`.
        content_dim: width of the content code, N(0, I), one per clip.
        classes: number of classes; 0 is unconditional, and labels are then ignored.
        label_to: where a one-hot label enters. "motion" feeds the motion source at every frame: the paper's
            "z_A -> R_M", which it reports as the better one (motion control score 0.581 against 0.355).
            "synthesis" feeds every frame's code: "z_A -> G_I", what the published code does.
    """

    def __init__(
        self,
        *,
        motion: Callable[..., Motion],
        synthesis: Callable[..., Synthesis],
        content_dim: int = 50,
        classes: int = 0,
        label_to: Literal["motion", "synthesis"] = "motion",
    ):
        super().__init__()
        if label_to not in ("motion", "synthesis"):
            raise ValueError(f"generator.label_to must be motion or synthesis, not {label_to!r}")
        to_motion, to_synthesis = (classes, 0) if label_to == "motion" else (0, classes)
        self.classes = classes
        self.label_to = label_to
        self.content_dim = content_dim
        self.motion = motion(label_dim=to_motion)
        self.synthesis = synthesis(code_dim=content_dim + to_synthesis + self.motion.dim)
        self.frames = self.motion.frames
        self.reads_times = self.motion.reads_times

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The part "content" (B, content_dim) and the parts of the motion source."""
        content = torch.randn(batch, self.content_dim, generator=rng)
        return {"content": content, **self.motion.sample_latent(batch, times, rng)}

    def check_times(self, times: Tensor) -> None:
        self.motion.check_times(times)

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Frames at `times` (B, T) -> video (B, C, T, H, W) in [-1, 1]."""
        batch, frames = times.shape
        per_clip = latent["content"]  # (B, Z)
        label_code = one_hot(label, self.classes, dtype=per_clip.dtype) if self.classes else None
        if label_code is not None and self.label_to == "synthesis":
            per_clip, label_code = torch.cat([per_clip, label_code], 1), None
        per_frame = self.motion(latent, times, label_code)  # (B, T, dim)
        code = torch.cat([per_clip[:, None].expand(-1, frames, -1), per_frame], 2)
        images = self.synthesis(code.flatten(0, 1))  # (B*T, C, H, W), the frames of a clip side by side
        return images.unflatten(0, (batch, frames)).transpose(1, 2)
