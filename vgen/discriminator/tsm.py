"""A 2-D network on each frame, whose frames exchange channels."""

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import relu

from vgen.clip import Clip, Judgement
from vgen.layer.minibatch_std import MinibatchStd
from vgen.layer.noise import InstanceNoise
from vgen.layer.projection import ProjectionVerdict
from vgen.layer.pyramid import check_video, doublings, widths
from vgen.layer.residual_down import ResidualDown
from vgen.layer.spectral import add_spectral_norm
from vgen.layer.temporal_shift import TemporalShift


class TSMDiscriminator(nn.Module):
    """Residual blocks on frames, with a temporal shift before each but the first: head "video" (B,).

    The last 4x4 maps are summed over positions and averaged over frames, StyleSV's `tmean`; a linear layer judges
    that, by projection or with class logits (B, K) beside it where there are classes. Feature "video"
    (B, T, C, 4, 4) is the last map. With `shift` 0, or for a single frame, frames are judged without each other.

    Source: Lin et al. 2019, arXiv 1811.08383, for the shift; genforce/StyleSV has one in its discriminator, before the
    frames are joined. A shift in every block of a plain residual network is vgen's own.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip.
        classes: 0 ignores labels.
        label_by: "projection" (it is told the class) or "auxiliary" (it names the class).
        shift: share of the channels that comes from the next frame, and from the previous one.
        minibatch_std: whether the last block is shown how much the clips of a batch differ.
        noise_sigma: instance noise before each block, in training.
        spectral: whether weights are divided by their largest singular value.
        base_channels: width after the first block; it doubles with every block.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 16,
        classes: int = 0,
        label_by: Literal["projection", "auxiliary"] = "projection",
        shift: float = 0.125,
        minibatch_std: bool = False,
        noise_sigma: float = 0.0,
        spectral: bool = False,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if label_by not in ("projection", "auxiliary"):
            raise ValueError(f"discriminator.label_by={label_by}: projection or auxiliary")
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        self.size = size
        self.channels = channels
        self.frames = frames
        self.shift = TemporalShift(shift)
        self.noise = InstanceNoise(noise_sigma)
        narrow, blocks = channels, []
        for width in widths(doublings(size), base_channels, max_channels):
            blocks.append(ResidualDown(narrow, width, first=narrow == channels))
            narrow = width
        self.blocks = nn.ModuleList(blocks)
        self.spread = MinibatchStd() if minibatch_std else nn.Identity()
        self.last_block = ResidualDown(narrow + minibatch_std, narrow, halve_space=False)
        projects = classes if label_by == "projection" else 0
        self.verdict = ProjectionVerdict(narrow, projects)
        self.classify = nn.Linear(narrow, classes) if classes and not projects else None
        if spectral:
            add_spectral_norm(self)

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        x = clip.video.transpose(1, 2)  # (B, T, C, H, W)
        for depth, block in enumerate(self.blocks):
            x = self._each_frame(block, self.noise(self.shift(x) if depth else x))
        x = self.spread(x.transpose(1, 2)).transpose(1, 2)
        x = relu(self._each_frame(self.last_block, self.noise(self.shift(x))))  # (B, T, C, 4, 4)
        summary = x.sum((3, 4)).mean(1)
        class_logits = None if self.classify is None else self.classify(summary)
        return Judgement({"video": self.verdict(summary, clip.label)}, class_logits, {"video": x})

    @staticmethod
    def _each_frame(block: nn.Module, x: Tensor) -> Tensor:
        return block(x.flatten(0, 1)).unflatten(0, x.shape[:2])
