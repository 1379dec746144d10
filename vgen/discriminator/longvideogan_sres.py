"""LongVideoGAN's super-resolution judge: a few large frames beside the small ones that they were made from."""

from itertools import pairwise

import torch
from torch import nn

from vgen.clip import Clip, Judgement
from vgen.layer.label import one_hot
from vgen.layer.precision import reduced_from
from vgen.layer.pyramid import check_video, doublings, widths
from vgen.layer.small_frames import enlarge, shrink
from vgen.layer.style_judge import FromPixels, JudgeBlock, JudgeEnd
from vgen.rng import draw_rows


class SuperResolutionDiscriminator(nn.Module):
    """StyleGAN2's residual network on all frames of a clip and its small frames, stacked: head "video" (B,).

    The small frames are those of `Clip.low`, brought to full size; of a clip without them, small versions of its own
    frames. They are kept with probability `keep` and otherwise 0, so that the judge looks for the most part at whether
    large frames are real, not at whether they belong to the small ones. No minibatch deviation. Feature "video"
    (B, D, 4, 4) is the last map.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429, §3.3, and NVlabs/long-video-gan:
    model/discriminator_sres.py, video_gan_sres.py: 24.00 million parameters at 256 pixels.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        small_size: of the small versions of clips that come without.
        channels: of a frame.
        frames: of a clip; 4 in the paper.
        classes: 0 ignores labels; otherwise projection (an addition).
        keep: probability.
        clamp: limit of the convolutions' outputs, or null.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        base_channels: width at full size, 16384 / size in the paper; it doubles with every halving.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 256,
        small_size: int = 64,
        channels: int = 3,
        frames: int = 4,
        classes: int = 0,
        keep: float = 0.1,
        clamp: float | None = 256.0,
        reduced_sizes: int = 4,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if not 0 <= keep <= 1:
            raise ValueError(f"discriminator.keep={keep}: a probability lies in [0, 1]")
        if not 1 <= small_size <= size:
            raise ValueError(f"discriminator.small_size={small_size}: must be 1 to clip.size={size}")
        if frames < 1:
            raise ValueError(f"discriminator.frames={frames}: a clip has at least one frame")
        self.size, self.small_size, self.channels = size, small_size, channels
        self.frames, self.classes, self.keep = frames, classes, keep
        shape = widths(doublings(size) + 1, base_channels, max_channels)
        least = reduced_from(size, reduced_sizes)
        self.first = FromPixels(2 * channels * frames, shape[0], clamp=clamp)
        self.blocks = nn.Sequential(
            *(
                JudgeBlock(wide, wide, narrow, clamp=clamp, reduced=size >> number >= least)
                for number, (wide, narrow) in enumerate(pairwise(shape))
            )
        )
        self.end = JudgeEnd(
            shape[-1],
            shape[-1],
            group=None,
            deviation=False,
            condition_dim=classes,
            mapping_layers=2,
            clamp=clamp,
        )

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        low = enlarge(shrink(clip.video, self.small_size) if clip.low is None else clip.low, self.size)
        kept = draw_rows(clip.batch, lambda rows, rng: torch.rand(rows, generator=rng)) < self.keep
        kept = kept.to(low.device, low.dtype, non_blocking=True)
        low = low * kept[:, None, None, None, None]
        both = torch.cat([low.to(clip.video.dtype), clip.video], 1).transpose(1, 2).flatten(1, 2)
        last = self.blocks(self.first(both))
        condition = None
        if self.classes:
            condition = one_hot(clip.label, self.classes, dtype=clip.video.dtype, who="discriminator")
        return Judgement({"video": self.end(last, condition)}, features={"video": last})
