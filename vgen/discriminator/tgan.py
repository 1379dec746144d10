"""One judge of the whole clip, which ends as a judge of one frame."""

from typing import Literal

from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.label import one_hot
from vgen.layer.minibatch_std import MinibatchStd
from vgen.layer.noise import InstanceNoise
from vgen.layer.pyramid import check_video, doublings, widths
from vgen.layer.spectral import add_spectral_norm

Norm = Literal["batch", "gain", "none"]


class TGANDiscriminator(nn.Module):
    """TGAN's discriminator (Saito et al. 2017, arXiv 1611.06624; pfnet-research/tgan: models/): head "video" (B,).

    3-D convolutions of kernel 4 and stride 2 halve time and space together, with batch norm after all but the first;
    when one frame of 4x4 is left, a 2-D convolution judges it. 16 frames of 64x64 make the paper's network. With
    other numbers time is halved (rounded down, yet every frame is seen) until one frame is left, after which layers
    are spatial; frames that are left at the end are judged one by one and the verdicts averaged.

    With classes the last convolution also gives class logits (B, K), or with `label_by` "projection" the class's own
    filter is added to the common one. Feature "video" (B, C, t, 4, 4) is what the last convolution reads.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip.
        classes: 0 ignores labels.
        label_by: "auxiliary" (it names the class) or "projection" (it is told the class).
        norm: "batch"; "gain", without offsets, the paper's choice beside singular value clipping; or "none".
        minibatch_std: whether the last convolution is shown how much the clips of a batch differ.
        noise_sigma: instance noise before each convolution, in training.
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
        label_by: Literal["auxiliary", "projection"] = "auxiliary",
        norm: Norm = "batch",
        minibatch_std: bool = False,
        noise_sigma: float = 0.0,
        spectral: bool = False,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if norm not in ("batch", "gain", "none"):
            raise ValueError(f"discriminator.norm={norm}: batch, gain or none")
        if label_by not in ("auxiliary", "projection"):
            raise ValueError(f"discriminator.label_by={label_by}: auxiliary or projection")
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        self.size = size
        self.channels = channels
        self.frames = frames
        self.classes = classes
        self.projects = bool(classes) and label_by == "projection"
        layers: list[nn.Module] = []
        narrow, left = channels, frames
        for width in widths(doublings(size), base_channels, max_channels):
            kernel, stride, padding = (4, 2, 1) if left > 1 else (1, 1, 0)
            normed = norm != "none" and narrow != channels
            layers += [
                InstanceNoise(noise_sigma),
                nn.Conv3d(narrow, width, (kernel, 4, 4), (stride, 2, 2), (padding, 1, 1), bias=not normed),
            ]
            if normed:
                layers.append(BatchNorm(width, shift=norm == "batch"))
            layers.append(nn.LeakyReLU(0.2))
            narrow, left = width, max(left // 2, 1)
        self.layers = nn.Sequential(*layers)
        seen = [MinibatchStd()] if minibatch_std else []
        self.before_last = nn.Sequential(*seen, InstanceNoise(noise_sigma))
        self.last = nn.Conv2d(narrow + minibatch_std, 1 + classes, 4)
        if spectral:
            add_spectral_norm(self)

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        hidden = self.layers(clip.video)  # (B, C, t, 4, 4)
        seen = self.before_last(hidden).transpose(1, 2)  # (B, t, C, 4, 4)
        verdicts = self.last(seen.flatten(0, 1)).view(*seen.shape[:2], -1).mean(1)  # (B, 1 + K)
        score, by_class = verdicts[:, 0], verdicts[:, 1:]
        features = {"video": hidden}
        if self.projects:
            return Judgement({"video": score + self._of_class(by_class, clip.label)}, features=features)
        return Judgement({"video": score}, by_class if self.classes else None, features)

    def _of_class(self, by_class: Tensor, label: Tensor | None) -> Tensor:
        return (by_class * one_hot(label, self.classes, dtype=by_class.dtype, who="discriminator")).sum(1)
