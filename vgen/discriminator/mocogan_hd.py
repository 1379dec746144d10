"""Patch judges at several scales that see every frame beside the clip's first."""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.noise import InstanceNoise
from vgen.layer.pyramid import check_video
from vgen.layer.spectral import add_spectral_norm
from vgen.rng import draw_rows


class MoCoGANHDDiscriminator(nn.Module):
    """MoCoGAN-HD's multi-scale judges (Tian et al. 2021, arXiv 2104.15069; snap-research/MoCoGAN-HD: D_3d.py, D.py).

    Every frame but the first is stacked on the first, 2C channels, so that content which drifts shows. The judge of
    clips sees all T - 1 such pairs in 3-D, the judge of frames one random pair in 2-D. Each is a patch network per
    scale; the next scale sees the pairs halved by averaging.

    Heads "video_0", "video_1", ... (B, t, h, w) and "image_0", ... (B, h, w), from the largest scale. Features are
    the maps of all layers but the last, "video_0_0" being the first layer's at the largest scale.

    Args:
        size: height and width of a frame, at least 8.
        channels: of a frame.
        frames: of a clip, at least 2.
        video, image: whether there is a judge of clips, of frames.
        scales: of each judge.
        layers: convolutions of stride 2; two of stride 1 follow.
        norm: "instance", without gain and offset, after all convolutions but the first and the last; or "none".
        noise_sigma: instance noise before each convolution, in training.
        spectral: whether weights are divided by their largest singular value.
        base_channels: width after the first layer; it doubles with every layer.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 128,
        channels: int = 3,
        frames: int = 16,
        video: bool = True,
        image: bool = True,
        scales: int = 2,
        layers: int = 3,
        norm: Literal["instance", "none"] = "instance",
        noise_sigma: float = 0.0,
        spectral: bool = False,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if norm not in ("instance", "none"):
            raise ValueError(f"discriminator.norm={norm}: instance or none")
        if not (video or image):
            raise ValueError(
                "discriminator.video and discriminator.image are both false: nothing is left to judge with"
            )
        if frames < 2:
            raise ValueError(
                f"clip.frames={frames}: discriminator=mocogan_hd compares frames; set at least 2"
            )
        if scales < 1 or layers < 1:
            raise ValueError(f"discriminator.scales={scales} and layers={layers} must be at least 1")
        if size < 4 * 2**scales:
            raise ValueError(
                f"clip.size={size} is too small for {scales} scales; set discriminator.scales to less"
            )
        self.size = size
        self.channels = channels
        self.frames = frames

        def judges(clips: bool) -> nn.ModuleList:
            shape = [2 * channels, *(min(base_channels * 2**i, max_channels) for i in range(layers + 1)), 1]
            return nn.ModuleList(
                _patch_layers(shape, clips=clips, normed=norm == "instance", sigma=noise_sigma)
                for _ in range(scales)
            )

        self.video = judges(clips=True) if video else None
        self.image = judges(clips=False) if image else None
        if spectral:
            add_spectral_norm(self)

    def forward(self, clip: Clip) -> Judgement:
        b, t = clip.batch, self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=t, most_frames=t)
        logits: dict[str, Tensor] = {}
        features: dict[str, Tensor] = {}
        if self.video is not None:
            first = clip.video[:, :, :1].expand(-1, -1, t - 1, -1, -1)
            pairs = torch.cat([first, clip.video[:, :, 1:]], 1)  # (B, 2C, T - 1, H, W)
            self._judge("video", self.video, pairs, logits, features)
        if self.image is not None:
            other = draw_rows(b, lambda rows, rng: torch.randint(1, t, (rows, 1), generator=rng))
            frame = clip.select_frames(other).video[:, :, 0]
            self._judge("image", self.image, torch.cat([clip.video[:, :, 0], frame], 1), logits, features)
        return Judgement(logits, features=features)

    def _judge(
        self,
        name: str,
        judges: nn.ModuleList,
        pairs: Tensor,
        logits: dict[str, Tensor],
        features: dict[str, Tensor],
    ) -> None:
        for scale, layers in enumerate(judges):
            if scale:
                pairs = _halved(pairs)
            hidden = pairs
            *inner, last = layers.children()
            for depth, layer in enumerate(inner):
                hidden = layer(hidden)
                features[f"{name}_{scale}_{depth}"] = hidden
            logits[f"{name}_{scale}"] = last(hidden)[:, 0]


def _halved(pairs: Tensor) -> Tensor:
    """Means over windows of 3 in every dimension, every second one; less than three pairs in time stay apart."""
    if pairs.dim() == 4:
        return F.avg_pool2d(pairs, 3, 2, 1, count_include_pad=False)
    if pairs.shape[2] < 3:
        return F.avg_pool3d(pairs, (1, 3, 3), (1, 2, 2), (0, 1, 1), count_include_pad=False)
    return F.avg_pool3d(pairs, 3, 2, 1, count_include_pad=False)


def _patch_layers(shape: list[int], *, clips: bool, normed: bool, sigma: float) -> nn.Sequential:
    """One layer per step of `shape`, the last two of stride 1; each a convolution, a norm and a leaky ReLU."""
    convolution = nn.Conv3d if clips else nn.Conv2d
    instance_norm = nn.InstanceNorm3d if clips else nn.InstanceNorm2d
    layers: list[nn.Module] = []
    last = len(shape) - 2
    for depth, (narrow, wide) in enumerate(pairwise(shape)):
        stride = 2 if depth < last - 1 else 1
        parts: list[nn.Module] = [InstanceNoise(sigma), convolution(narrow, wide, 4, stride, 2)]
        if normed and 0 < depth < last:
            parts.append(instance_norm(wide))
        if depth < last:
            parts.append(nn.LeakyReLU(0.2))
        layers.append(nn.Sequential(*parts))
    return nn.Sequential(*layers)
