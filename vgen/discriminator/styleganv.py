"""One judge of a few frames: alone while they are large, side by side once they are small, told their distances."""

from itertools import pairwise

from torch import nn

from vgen.clip import Clip, Judgement
from vgen.layer.precision import reduced_from
from vgen.layer.pyramid import check_video, doublings, widths
from vgen.layer.style_judge import FromPixels, JudgeBlock, JudgeEnd, by_size
from vgen.layer.time_differences import TimeDifferences, judge_condition


class StyleGANVDiscriminator(nn.Module):
    """StyleGAN-V's discriminator (Skorokhodov et al. 2022, arXiv 2112.14683, §3.2): head "video" (B,).

    StyleGAN2's residual network. Frames pass its first blocks one by one, until they are `join_size` pixels small and
    their maps 1 / `divide` as wide as they would be; from there on the maps of a clip stand side by side as channels.
    The logit is the product of the features with a mapped condition: the distances between neighbouring frames
    (`TimeDifferences`), and the class where there are classes. Feature "video" (B, D, 4, 4) is the last map.

    Source: universome/stylegan-v: src/training/networks.py, whose published counts (26.91 M at 256 pixels and 3 frames)
    need 8 layers in the condition's mapping.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip; 3 in the paper. With one frame there are no distances, and without classes no condition.
        classes: 0 ignores labels.
        join_size: of the maps that are joined; half the frame's size if that is less.
        divide: the width of a frame's last map by this.
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
        divide: int = 2,
        time_dim: int = 256,
        longest: int = 1024,
        mapping_layers: int = 8,
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
        if divide < 1 or frames < 1:
            raise ValueError(f"discriminator.divide={divide} and frames={frames} must be at least 1")
        self.size, self.channels, self.frames, self.classes = size, channels, frames, classes
        shape = widths(depth + 1, base_channels, max_channels)
        alone = max(1, doublings(size) - doublings(join_size) if join_size > 4 else depth)
        beside = max(shape[alone] // divide, 1)  # of each frame's map when they are joined
        least = reduced_from(size, reduced_sizes)

        def block(number: int, inputs: int, outputs: int) -> JudgeBlock:
            reduced = size >> number >= least
            return JudgeBlock(inputs, shape[number], outputs, clamp=clamp, reduced=reduced)

        self.first = FromPixels(channels, shape[0], clamp=clamp)
        ends = [*shape[1:alone], beside]
        self.frame_blocks = by_size(
            size, (block(number, shape[number], ends[number]) for number in range(alone))
        )
        joined = [frames * beside, *shape[alone + 1 :]]
        self.clip_blocks = by_size(
            size >> alone, (block(alone + number, *ends) for number, ends in enumerate(pairwise(joined)))
        )
        self.differences = TimeDifferences(frames, dim=time_dim, longest=longest) if frames > 1 else None
        self.end = JudgeEnd(
            joined[-1],
            shape[-1],
            group=minibatch_group,
            condition_dim=classes + (0 if self.differences is None else self.differences.dim),
            mapping_layers=mapping_layers,
            clamp=clamp,
        )

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        frames = clip.video.transpose(1, 2).flatten(0, 1)  # (B*T, C, H, W)
        maps = self.frame_blocks(self.first(frames))
        joined = maps.unflatten(0, (clip.batch, fixed)).flatten(1, 2)  # (B, T*D, h, w)
        last = self.clip_blocks(joined)
        condition = judge_condition(clip, self.classes, self.differences)
        return Judgement({"video": self.end(last, condition)}, features={"video": last})
