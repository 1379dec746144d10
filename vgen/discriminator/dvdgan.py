"""Two judges that share the work: single frames at full size, and the whole clip at half of it."""

import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.attention import SelfAttention
from vgen.layer.frame_choice import check_image_frames, random_frames
from vgen.layer.init import init_orthogonal
from vgen.layer.noise import InstanceNoise
from vgen.layer.projection import ProjectionVerdict
from vgen.layer.pyramid import check_video, doublings, widths
from vgen.layer.residual_down import ResidualDown
from vgen.layer.spectral import add_spectral_norm


class DVDGANDiscriminator(nn.Module):
    """DVD-GAN's spatial and temporal judges (Clark et al. 2019, arXiv 1907.06571, §3.2).

    The spatial judge scores random frames one by one with a 2-D residual network and adds the scores up. The temporal
    judge sees all frames, averaged over 2x2 pixels: its first two blocks are 3-D, the others work on each frame, and
    what they find is averaged over time. Both are told the class by projection. Weights are orthogonal at first and
    spectrally normalised; there is no other norm.

    Heads: "image" (B,) and "video" (B,). Features are the last maps, "image" (B, k, C, 4, 4) and "video"
    (B, t, C, h, w).
    The paper publishes neither code nor widths: blocks are BigGAN's, one per halving and one more, with self-attention
    after the second as there; the 3-D blocks halve time as well.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip.
        classes: 0 ignores labels.
        image_frames: how many frames of a clip, chosen at random for each judgement, the spatial judge sees.
        attention: whether the spatial judge has self-attention after its second block.
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
        image_frames: int = 8,
        attention: bool = True,
        noise_sigma: float = 0.0,
        spectral: bool = True,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        check_image_frames(image_frames, frames)
        self.size = size
        self.channels = channels
        self.frames = frames
        self.image_frames = image_frames
        depth = doublings(size)
        in_image = widths(depth, base_channels, max_channels)
        in_video = widths(max(depth - 1, 1), base_channels, max_channels)

        self.image_blocks = nn.Sequential()
        narrow = channels
        for number, width in enumerate([*in_image, in_image[-1]]):
            block = ResidualDown(narrow, width, halve_space=number < depth, first=number == 0)
            self.image_blocks.extend([InstanceNoise(noise_sigma), block])
            if attention and number == 1:
                self.image_blocks.append(_FrameAttention(width))
            narrow = width
        self.image_verdict = ProjectionVerdict(narrow, classes)

        self.clip_blocks, self.frame_blocks = nn.Sequential(), nn.Sequential()
        narrow, left = channels, frames
        for number, width in enumerate([*in_video, in_video[-1]]):
            clips, halve_space = number < 2, number < depth - 1
            block = ResidualDown(
                narrow,
                width,
                clips=clips,
                halve_space=halve_space,
                halve_time=clips and left > 1,
                first=number == 0,
            )
            blocks = self.clip_blocks if clips else self.frame_blocks
            blocks.extend([InstanceNoise(noise_sigma), block])
            narrow, left = width, (left + 1) // 2
        self.video_verdict = ProjectionVerdict(narrow, classes)
        init_orthogonal(self)
        if spectral:
            add_spectral_norm(self)

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        image_scores, on_frames = self._judge_frames(clip)
        video_score, on_clip = self._judge_clip(clip)
        return Judgement(
            {"image": image_scores.sum(1), "video": video_score},
            features={"image": on_frames, "video": on_clip},
        )

    def _judge_frames(self, clip: Clip) -> tuple[Tensor, Tensor]:
        """Scores (B, k) of random frames, and their last maps (B, k, C, 4, 4)."""
        index = random_frames(clip.batch, clip.frames, self.image_frames)
        seen = clip.select_frames(index).video.transpose(1, 2)  # (B, k, C, H, W)
        maps = self.image_blocks(seen.flatten(0, 1))
        label = None if clip.label is None else clip.label.repeat_interleave(self.image_frames)
        scores = self.image_verdict(F.relu(maps).sum((2, 3)), label)
        return scores.unflatten(0, seen.shape[:2]), maps.unflatten(0, seen.shape[:2])

    def _judge_clip(self, clip: Clip) -> tuple[Tensor, Tensor]:
        """Scores (B,) of whole clips, and their last maps (B, t, C, h, w)."""
        small = F.avg_pool3d(clip.video, (1, 2, 2))
        x = self.clip_blocks(small).transpose(1, 2)  # (B, t, C, h, w)
        maps = self.frame_blocks(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.video_verdict(F.relu(maps).sum((3, 4)).mean(1), clip.label), maps


class _FrameAttention(SelfAttention):
    """Self-attention among the positions of frames (N, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__(channels, ("height", "width"))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, None])[:, :, 0]
