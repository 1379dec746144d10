"""R3GAN's recipe carried to clips: convolutions in space and time, no normalisation."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.label import one_hot
from vgen.layer.pyramid import widths
from vgen.layer.r3gan import Basis, CodeScale, ToPixels, clip_lengths, stage_count, stages
from vgen.layer.state import with_state
from vgen.layer.times import check_equally_spaced, check_length


class R3GAN3D(nn.Module):
    """z [, embedding of the class] -> video (B, C, T, H, W), linear: about [-1, 1], not clamped.

    The code scales a learned basis of a few 4x4 frames; stages of (2+1)-D residual blocks follow, frames doubled
    between them. Time doubles in the first stages, so that most of the network sees every frame: 16 frames of 64x64
    grow as 2, 4, 8, 16, 16 (with `patch` 2: 2, 4, 8, 16).

    Source: none. It is R3GAN (Huang et al. 2024, arXiv 2501.05441), whose blocks get a convolution over time.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        frames: the only length that it makes.
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored.
        latent_dim: width of the latent code "z", N(0, I).
        embedding_dim: width of the learned embedding of the class that joins z.
        base_channels: width of the last stage; it doubles with every stage inwards.
        max_channels: the width's limit.
        blocks: residual blocks per stage.
        expansion: of the width inside a block.
        group_width: channels in a group of the convolutions in space and in time.
        patch: height and width in pixels of what a position of the last map paints. R3GAN has 1; 2 saves the stage at
            full size, the most costly one.
        last_gain: gain of the last layer's weights at first (`vgen.layer.r3gan.fix_up`); R3GAN has 1.
        start: grey level in [-1, 1] about which the first videos lie, learned per channel from then on; None leaves it
            out, as R3GAN does. Without it the background has to come from the biases inside the blocks.
        colour_gain: the code also scales each colour channel of the whole clip about that level, by factors that are
            N(1, colour_gain^2) at first; None leaves them out, as R3GAN does. Colours then differ from clip to clip and
            stay the same within one from the first step on.
    """

    frames: int | None
    reads_times = False

    def __init__(
        self,
        *,
        size: int = 64,
        frames: int = 16,
        channels: int = 3,
        classes: int = 0,
        latent_dim: int = 64,
        embedding_dim: int = 64,
        base_channels: int = 32,
        max_channels: int = 256,
        blocks: int = 1,
        expansion: int = 2,
        group_width: int = 16,
        patch: int = 2,
        last_gain: float = 1.0,
        start: float | None = None,
        colour_gain: float | None = None,
    ):
        super().__init__()
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        if start is not None and not -1 <= start <= 1:
            raise ValueError(f"generator.start={start}: a grey level lies in [-1, 1]")
        if colour_gain is not None and colour_gain < 0:
            raise ValueError(f"generator.colour_gain={colour_gain}: a spread is at least 0")
        self.classes = classes
        self.frames = frames
        self.latent_dim = latent_dim
        count = stage_count(size, patch)
        outwards = widths(count, base_channels, max_channels)[::-1]
        lengths = clip_lengths(frames, count)
        self.embedding = nn.Parameter(torch.randn(classes, embedding_dim)) if classes else None
        code_dim = latent_dim + (embedding_dim if classes else 0)
        self.state_shape = (outwards[0], 4, 4)
        self.basis = Basis(code_dim, outwards[0], (lengths[0], 4, 4))
        self.stages = stages(
            outwards, lengths, up=True, blocks=blocks, expansion=expansion, group_width=group_width
        )
        self.last = ToPixels(outwards[-1], channels, patch, gain=last_gain)
        self.colour = None if colour_gain is None else CodeScale(code_dim, channels, gain=colour_gain)
        self.start = None if start is None else nn.Parameter(torch.full((channels, 1, 1, 1), float(start)))

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "z" (B, latent_dim)."""
        return {"z": torch.randn(batch, self.latent_dim, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        check_length(times, self.frames, who="generator=r3gan3d")
        check_equally_spaced(times, who="generator=r3gan3d")

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent -> video (B, C, T, H, W)."""
        check_length(times, self.frames, who="generator=r3gan3d")
        code = latent["z"]
        if self.embedding is not None:
            code = torch.cat([code, one_hot(label, self.classes, dtype=code.dtype) @ self.embedding], 1)
        video = self.last(self.stages(with_state(self.basis(code), latent)))
        video = video if self.colour is None else self.colour(video, code)
        return video if self.start is None else video + self.start
