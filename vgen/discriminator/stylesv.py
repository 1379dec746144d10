"""One judge of frames that exchange channels while they are large and are averaged once they are small."""

from itertools import pairwise

from torch import nn

from vgen.clip import Clip, Judgement
from vgen.layer.precision import reduced_from
from vgen.layer.pyramid import check_video, doublings, widths
from vgen.layer.style_judge import FromPixels, JudgeBlock, JudgeEnd, by_size
from vgen.layer.temporal_shift import TemporalShift
from vgen.layer.time_differences import TimeDifferences, judge_condition


class StyleSVDiscriminator(nn.Module):
    """StyleSV's discriminator (Zhang et al. 2023): head "video" (B,).

    StyleGAN-V's, but its width does not depend on the number of frames. In the blocks before `join_size`, the 3x3
    convolutions see frames that have exchanged a part of their channels with their neighbours (the shortcut sees them
    as they are); at `join_size` the maps of a clip are averaged. The logit is the product of the features with a mapped
    condition: the distances between neighbouring frames (`TimeDifferences`), and the class where there are classes.
    Feature "video" (B, D, 4, 4) is the last map.

    With one frame it judges images: nothing is exchanged, and there are no distances. All its weights but those of the
    last layer then have the names and shapes that they have for clips, for `start_from=`.

    Source: genforce/StyleSV: src/training/networks.py (tsm and tmean), whose condition has 2 layers of mapping.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip; 3 in the paper.
        classes: 0 ignores labels.
        join_size: of the maps that are averaged; half the frame's size if that is less.
        shift: share of the channels that comes from the next frame, and from the previous one; 0 exchanges nothing.
        time_dim: width of a distance's learned vector.
        longest: how many of them there are: distances of so many frames or more share the last one.
        mapping_layers: of the condition.
        minibatch_group: clips whose features are compared with each other; null for all of the batch.
        clamp: limit of the convolutions' outputs, so that half precision does not overflow, or null.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        base_channels: width at full size, 16384 / size in the paper below 512 pixels; it doubles with every halving.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 3,
        classes: int = 0,
        join_size: int = 16,
        shift: float = 0.125,
        time_dim: int = 256,
        longest: int = 1024,
        mapping_layers: int = 2,
        minibatch_group: int | None = 4,
        clamp: float | None = 256.0,
        reduced_sizes: int = 4,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        depth = doublings(size)
        if join_size not in [4 << number for number in range(8)]:
            raise ValueError(f"discriminator.join_size={join_size}: must be 4, 8, 16, ...")
        if frames < 1:
            raise ValueError(f"discriminator.frames={frames} must be at least 1")
        self.size, self.channels, self.frames, self.classes = size, channels, frames, classes
        shape = widths(depth + 1, base_channels, max_channels)
        self.alone = max(1, depth - doublings(join_size) if join_size > 4 else depth)
        least = reduced_from(size, reduced_sizes)
        self.shift = TemporalShift(shift)
        self.first = FromPixels(channels, shape[0], clamp=clamp)
        self.blocks = by_size(
            size,
            (
                JudgeBlock(wide, wide, narrow, clamp=clamp, reduced=size >> number >= least)
                for number, (wide, narrow) in enumerate(pairwise(shape))
            ),
        )
        self.differences = TimeDifferences(frames, dim=time_dim, longest=longest) if frames > 1 else None
        self.end = JudgeEnd(
            shape[-1],
            shape[-1],
            group=minibatch_group,
            condition_dim=classes + (0 if self.differences is None else self.differences.dim),
            mapping_layers=mapping_layers,
            clamp=clamp,
        )

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        x = self.first(clip.video.transpose(1, 2).flatten(0, 1))  # (B*T, C, H, W)
        for number, block in enumerate(self.blocks):
            if number == self.alone:
                x = x.unflatten(0, (-1, fixed)).mean(1)  # (B, C, h, w)
            seen = self.shift(x.unflatten(0, (-1, fixed))).flatten(0, 1) if number < self.alone else None
            x = block(x, seen)
        if self.alone == len(self.blocks):
            x = x.unflatten(0, (-1, fixed)).mean(1)
        condition = judge_condition(clip, self.classes, self.differences)
        return Judgement({"video": self.end(x, condition)}, features={"video": x})
