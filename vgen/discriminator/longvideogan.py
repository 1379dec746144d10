"""LongVideoGAN's low-resolution judge: 3-D convolutions down to a short line of vectors, then 1-D ones."""

import math

from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.biased_activation import biased_activation
from vgen.layer.equalized import EqualizedConv1d, EqualizedLinear
from vgen.layer.filtered_conv3d import EqualizedConv3d
from vgen.layer.label import one_hot
from vgen.layer.precision import at_least_float32, precision_of, reduced_from
from vgen.layer.pyramid import check_video, doublings


class LongVideoGANDiscriminator(nn.Module):
    """LongVideoGAN's discriminator of long clips (Brooks et al. 2022, arXiv 2206.03429): head "video" (B,).

    Residual blocks with kernels 5x3x3 (the first one 1x3x3, which leaves time alone) halve frames down to 4x4, and the
    last three of them time too where the clip has at least 4, 8 and 16 frames. Each map is then one vector, and four
    1-D convolutions over time (kernels 1, 3, 3, 3) and two linear layers of all positions give the logit. Feature
    "video" (B, D) comes before the last linear layer.

    Source: NVlabs/long-video-gan: model/discriminator_lres.py, at 128 frames whose longer side is 64: 46.42 million
    parameters with base_channels=32. There, frames that are not square get a margin of zeros.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip; 128 in the paper.
        classes: 0 ignores labels; otherwise the class's vector, times the feature, joins the logit (an addition).
        hidden_channels: width of the 1-D part; null is 32 * base_channels, 1024 as published.
        clamp: limit of the 3-D convolutions' outputs, or null.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        base_channels: width at full size, 32 in the paper; it doubles with every block.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 128,
        classes: int = 0,
        hidden_channels: int | None = None,
        clamp: float | None = 256.0,
        reduced_sizes: int = 0,
        base_channels: int = 32,
        max_channels: int = 512,
    ):
        super().__init__()
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        self.size, self.channels, self.frames, self.classes = size, channels, frames, classes
        halvings = doublings(size)
        count = max(4, halvings)
        hidden = 32 * base_channels if hidden_channels is None else hidden_channels
        least = reduced_from(size, reduced_sizes)
        width = min(base_channels, max_channels)
        self.first = EqualizedConv3d(channels, width, (1, 1), clamp=clamp)
        self.blocks = nn.ModuleList()
        length = frames
        for number in range(count):
            later = number - (count - 4)  # the last four are the paper's
            halve_space = number >= count - halvings
            halve_time = later > 0 and frames >= 2 ** (later + 1)
            wider = min(2 * width, max_channels)
            self.blocks.append(
                _Block(
                    width,
                    wider,
                    temporal_kernel=5 if later > 0 else 1,
                    halve_time=halve_time,
                    halve_space=halve_space,
                    clamp=clamp,
                    reduced=size >> max(0, number - (count - halvings)) >= least,
                )
            )
            width, length = wider, length // 2 if halve_time else length
        self.line = nn.ModuleList(
            EqualizedConv1d(16 * width if number == 0 else hidden, hidden, 1 if number == 0 else 3)
            for number in range(4)
        )
        self.hidden = EqualizedLinear(length * hidden, hidden)
        self.out = EqualizedLinear(hidden, 1)
        self.embedding = EqualizedLinear(classes, hidden, bias=False) if classes else None

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        x = self.first(clip.video)
        for block in self.blocks:
            x = block(x)
        with precision_of(x, reduced=False):
            line = at_least_float32(x).movedim(2, -1).flatten(1, 3)  # (B, D h w, T)
            for number, layer in enumerate(self.line):
                margin = min(number, 1)
                line = biased_activation(layer(nn.functional.pad(line, (margin, margin))), None)
            feature = biased_activation(self.hidden(line.flatten(1)), None)
            logits = self.out(feature)[:, 0]
            if self.embedding is not None:
                label = one_hot(clip.label, self.classes, dtype=feature.dtype, who="discriminator")
                logits = logits + (feature * self.embedding(label)).mean(1)
        return Judgement({"video": logits}, features={"video": feature})


class _Block(nn.Module):
    """Two convolutions beside a 1x1x1 one, halved alike."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        temporal_kernel: int,
        halve_time: bool,
        halve_space: bool,
        clamp: float | None,
        reduced: bool,
    ):
        super().__init__()
        self.reduced = reduced
        kernel = (temporal_kernel, 3)
        halve = {"halve_time": halve_time, "halve_space": halve_space}
        self.one = EqualizedConv3d(inputs, inputs, kernel, clamp=clamp)
        self.two = EqualizedConv3d(inputs, outputs, kernel, clamp=clamp, **halve)
        self.shortcut = EqualizedConv3d(inputs, outputs, (1, 1), bias=False, slope=1.0, clamp=clamp, **halve)

    def forward(self, x: Tensor) -> Tensor:
        with precision_of(x, reduced=self.reduced):
            x = x if self.reduced else at_least_float32(x)
            return (self.two(self.one(x)) + self.shortcut(x)) * math.sqrt(0.5)
