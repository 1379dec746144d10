"""Two residual judges: of single frames, and of two frames and the time between them."""

import torch
from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.frame_choice import random_frames
from vgen.layer.label import one_hot
from vgen.layer.pyramid import check_video
from vgen.layer.style_judge import ImageJudge


class DIGANDiscriminator(nn.Module):
    """DIGAN's image and motion discriminators (Yu et al. 2022, arXiv 2202.10571, §3.2).

    Both are StyleGAN2's residual judge. One sees each of two frames; the other sees the two side by side as channels,
    and one more channel that holds the time between them, divided by `span`, everywhere. Of clips of more
    than two frames it is two random ones, in the order of time. Heads: "image" (B, 2) and "video" (B,). Features
    "image" (B, 2, D, 4, 4) and "video" (B, D, 4, 4) are the last maps.

    Source: sihyun-yu/digan: src/training/networks.py.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip, at least 2.
        classes: told to both judges by projection; 0 ignores labels.
        span: frames that are one unit of time.
        minibatch_group: clips whose features are compared with each other; null for all of the batch.
        mapping_layers: of the class.
        clamp: limit of the convolutions' outputs, so that half precision does not overflow, or null.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        base_channels: width at full size, 32768 / size in the paper; it doubles with every halving.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 2,
        classes: int = 0,
        span: float = 15.0,
        minibatch_group: int | None = 4,
        mapping_layers: int = 8,
        clamp: float | None = 256.0,
        reduced_sizes: int = 4,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if frames < 2:
            raise ValueError(f"clip.frames={frames}: discriminator=digan compares two frames of a clip")
        if span <= 0:
            raise ValueError(f"discriminator.span={span}: must be above 0 frames")
        self.size, self.channels, self.classes, self.span = size, channels, classes, span

        def judge(channels: int) -> ImageJudge:
            return ImageJudge(
                size=size,
                channels=channels,
                condition_dim=classes,
                base_channels=base_channels,
                max_channels=max_channels,
                clamp=clamp,
                reduced_sizes=reduced_sizes,
                group=minibatch_group,
                mapping_layers=mapping_layers,
            )

        self.image, self.video = judge(channels), judge(2 * channels + 1)

    def forward(self, clip: Clip) -> Judgement:
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=2)
        if clip.frames > 2:
            chosen = random_frames(clip.batch, clip.frames, 2).sort(1).values
            clip = clip.select_frames(chosen)
        frames = clip.video.transpose(1, 2)  # (B, 2, C, H, W)
        label = None
        if self.classes:
            label = one_hot(clip.label, self.classes, dtype=clip.video.dtype, who="discriminator")
        of_frames = None if label is None else label.repeat_interleave(2, 0)
        on_frames, image_map = self.image(frames.flatten(0, 1), of_frames, 2)
        on_pair, pair_map = self.video(self._pair(frames, clip.times), label)
        return Judgement(
            {"image": on_frames.unflatten(0, (-1, 2)), "video": on_pair},
            features={"image": image_map.unflatten(0, (-1, 2)), "video": pair_map},
        )

    def _pair(self, frames: Tensor, times: Tensor) -> Tensor:
        """(B, 2 C + 1, H, W)."""
        between = ((times[:, 1] - times[:, 0]) / self.span).to(frames.dtype)
        constant = between[:, None, None, None].expand(-1, 1, *frames.shape[3:])
        return torch.cat([frames.flatten(1, 2), constant], 1)
