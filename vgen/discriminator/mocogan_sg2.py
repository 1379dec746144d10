"""MoCoGAN's two judges, the one of frames being StyleGAN2's."""

from torch import nn

from vgen.clip import Clip, Judgement
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.init import init_normal
from vgen.layer.label import one_hot
from vgen.layer.noise import InstanceNoise
from vgen.layer.pyramid import check_video, doublings
from vgen.layer.slowed import Slowed
from vgen.layer.style_judge import ImageJudge


class MoCoGANSG2Discriminator(nn.Module):
    """The discriminators of MoCoGAN+SG2, a baseline of StyleGAN-V (Skorokhodov et al. 2022, arXiv 2112.14683, §4).

    StyleGAN2's residual judge sees every frame; MoCoGAN's 3-D convolutions see the clip, which learn at a tenth of the
    rate. Heads: "image" (B, T) and "video" (B, positions). Features "image" (B, T, D, 4, 4) and "video"
    (B, D, t, h, w) are the last maps. The authors take R1 of the image's logits alone; `regularizer=r1` is of both.

    Source: universome/stylegan-v: src/training/mocogan.py and configs/model/mocogan.yaml. There clips too short for the
    temporal kernels are padded as one is told to; here as much as their length asks for. The rate is lowered by keeping
    the weights divided by it, which is the same to Adam.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of the clips to come, at least; shorter ones are refused.
        classes: told to the judge of frames by projection; 0 ignores labels.
        video_channels: width of the judge of clips after its first layer; it doubles with every layer, at most 3 times.
        video_lr: factor of its learning rate, under an optimizer such as Adam.
        noise_sigma: instance noise before each of its convolutions, in training.
        minibatch_group: frames whose features are compared with each other; null for all of the batch.
        mapping_layers: of the class.
        clamp: limit of the outputs of the convolutions that see frames, or null.
        reduced_sizes: how many of the largest sizes they compute in the trainer's precision, the others in full.
        base_channels: width of the judge of frames at full size; it doubles with every halving.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 16,
        classes: int = 0,
        video_channels: int = 64,
        video_lr: float = 0.1,
        noise_sigma: float = 0.1,
        minibatch_group: int | None = 4,
        mapping_layers: int = 8,
        clamp: float | None = 256.0,
        reduced_sizes: int = 4,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if video_lr <= 0:
            raise ValueError(f"discriminator.video_lr={video_lr}: must be above 0")
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: must be at least 1")
        self.size, self.channels, self.frames, self.classes = size, channels, frames, classes
        self.image = ImageJudge(
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
        judge = _clip_judge(size, channels, frames, video_channels, noise_sigma)
        init_normal(judge, std=0.02)
        self.video = Slowed(judge[:-1], video_lr)
        self.video_verdict = Slowed(judge[-1], video_lr)

    def forward(self, clip: Clip) -> Judgement:
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=self.frames)
        frames = clip.video.transpose(1, 2)  # (B, T, C, H, W)
        label = None
        if self.classes:
            label = one_hot(clip.label, self.classes, dtype=clip.video.dtype, who="discriminator")
            label = label.repeat_interleave(clip.frames, 0)
        on_frames, last = self.image(frames.flatten(0, 1), label, clip.frames)
        hidden = self.video(clip.video)
        on_clip = self.video_verdict(hidden)  # (B, 1, t, h, w)
        return Judgement(
            {"image": on_frames.unflatten(0, frames.shape[:2]), "video": on_clip.flatten(1)},
            features={"image": last.unflatten(0, frames.shape[:2]), "video": hidden},
        )


def _clip_judge(size: int, channels: int, frames: int, width: int, sigma: float) -> nn.Sequential:
    """Up to four convolutions of kernel 4 that halve frames, two of kernel 3 from 256 pixels on, one to logits."""
    depth = min(doublings(size), 4)
    # A padded convolution makes a clip one frame longer, another makes it three frames shorter.
    padded = max(0, -(-(3 * (depth + 1) + 1 - frames) // 4))
    layers: list[nn.Module] = []
    narrow = channels
    for number in range(depth):
        wide = width * 2**number
        padding = (2 if number < padded else 0, 1, 1)
        layers += [InstanceNoise(sigma), nn.Conv3d(narrow, wide, 4, (1, 2, 2), padding, bias=False)]
        if number > 0:
            layers.append(BatchNorm(wide))
        layers.append(nn.LeakyReLU(0.2))
        narrow = wide
    for _ in range(2 if size >= 256 else 0):
        layers += [InstanceNoise(sigma), nn.Conv3d(narrow, narrow, 3, padding=1, bias=False)]
        layers += [BatchNorm(narrow), nn.LeakyReLU(0.2)]
    padding = (2 if depth < padded else 0, 0, 0)
    return nn.Sequential(*layers, nn.Conv3d(narrow, 1, 4, padding=padding, bias=False))
