"""A judge of clips with factorised convolutions, and one of single frames."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.frame_choice import check_image_frames, random_frames
from vgen.layer.noise import InstanceNoise
from vgen.layer.pyramid import check_video, doublings, temporal_kernels, widths
from vgen.layer.spectral import add_spectral_norm


class G3ANDiscriminator(nn.Module):
    """G3AN's judges (Wang et al. 2020; wyhsirius/g3an-project: model/networks.py).

    The judge of clips halves frames with (1, 4, 4) convolutions of stride 2, each followed by an unpadded (4, 1, 1)
    convolution over time; a last pair joins the 4x4 map and what is left of time. So 16 frames of 64x64 leave one
    position and longer clips more, which are averaged. For shorter clips (and larger frames, which need more layers)
    temporal kernels shrink. The judge of frames is its spatial half, on random frames. All weights are spectrally
    normalised and there is no other norm.

    Heads: "video" (B,) and "image" (B, image_frames). With classes the judge of clips also gives class logits (B, K).
    Features "video" and "image" are the last 4x4 maps.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of the clips to come; longer clips are judged too.
        classes: number of classes to tell apart; 0 ignores labels.
        image_frames: how many frames of a clip, chosen at random for each judgement, the judge of frames sees.
        noise_sigma: instance noise before each spatial convolution, in training.
        spectral: whether weights are divided by their largest singular value.
        base_channels: width after the first layer; it doubles with every layer.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 16,
        classes: int = 0,
        image_frames: int = 1,
        noise_sigma: float = 0.0,
        spectral: bool = True,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        check_image_frames(image_frames, frames)
        self.size = size
        self.channels = channels
        self.classes = classes
        self.image_frames = image_frames
        depth = doublings(size)
        kernels = temporal_kernels(frames, depth + 1)
        self.least_frames = max(image_frames, 1 + sum(kernel - 1 for kernel in kernels))
        shape = [channels, *widths(depth, base_channels, max_channels)]
        wide = shape[-1]

        on_clips: list[nn.Module] = []
        for (narrow, width), kernel in zip(pairwise(shape), kernels, strict=False):
            on_clips += [
                InstanceNoise(noise_sigma),
                nn.Conv3d(narrow, width, (1, 4, 4), (1, 2, 2), (0, 1, 1)),
                nn.LeakyReLU(0.2),
                nn.Conv3d(width, width, (kernel, 1, 1)),
                nn.LeakyReLU(0.2),
            ]
        self.video = nn.Sequential(*on_clips)
        self.video_verdict = nn.Sequential(
            nn.Conv3d(wide, wide, (1, 4, 4)),
            nn.LeakyReLU(0.2),
            nn.Conv3d(wide, 1 + classes, (kernels[-1], 1, 1)),
        )
        on_frames: list[nn.Module] = []
        for narrow, width in pairwise(shape):
            on_frames += [
                InstanceNoise(noise_sigma),
                nn.Conv2d(narrow, width, 4, 2, 1),
                nn.LeakyReLU(0.2),
            ]
        self.image = nn.Sequential(*on_frames)
        self.image_verdict = nn.Conv2d(wide, 1, 4)
        if spectral:
            add_spectral_norm(self)

    def forward(self, clip: Clip) -> Judgement:
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=self.least_frames)
        on_clip = self.video(clip.video)  # (B, C, t, 4, 4)
        verdicts = self.video_verdict(on_clip).flatten(2).mean(2)  # (B, 1 + K)
        on_frames = self.image(self._frames_of(clip))  # (B * k, C, 4, 4)
        by_clip = (clip.batch, self.image_frames)
        logits = {
            "image": self.image_verdict(on_frames).view(by_clip),
            "video": verdicts[:, 0],
        }
        features = {"image": on_frames.unflatten(0, by_clip), "video": on_clip}
        return Judgement(logits, verdicts[:, 1:] if self.classes else None, features)

    def _frames_of(self, clip: Clip) -> Tensor:
        """Random frames (B * k, C, H, W)."""
        index = random_frames(clip.batch, clip.frames, self.image_frames)
        return torch.flatten(clip.select_frames(index).video.transpose(1, 2), 0, 1)
