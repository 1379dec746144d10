"""StyleGAN2's residual judge of frames, in parts and as a whole."""

import math
from collections.abc import Iterable
from itertools import pairwise

from torch import Tensor, nn

from vgen.layer.biased_activation import biased_activation
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.filtered_conv import EqualizedConv2d
from vgen.layer.mapping import MappingNetwork
from vgen.layer.minibatch_std import MinibatchStd
from vgen.layer.precision import at_least_float32, precision_of, reduced_from
from vgen.layer.pyramid import doublings, widths


class JudgeBlock(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2): two 3x3 convolutions beside a filtered 1x1 one.

    Source: Karras et al. 2020, arXiv 1912.04958, §4.1 (residual discriminator).

    Args:
        hidden: width between the two convolutions.
        clamp: limit of the two convolutions' outputs, or None.
        reduced: whether to compute in the trainer's precision; else in full precision.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, clamp: float | None, reduced: bool):
        super().__init__()
        self.reduced = reduced
        self.one = EqualizedConv2d(inputs, hidden, 3, clamp=clamp)
        self.two = EqualizedConv2d(hidden, outputs, 3, down=2, clamp=clamp)
        self.shortcut = EqualizedConv2d(inputs, outputs, 1, down=2, bias=False, slope=1.0)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """`seen`, where given, is what the two 3x3 convolutions see in place of x."""
        half = math.sqrt(0.5)  # of the variance, to each of the two ways
        with precision_of(x, reduced=self.reduced):
            x = x if self.reduced else at_least_float32(x)
            seen = x if seen is None else seen.to(x.dtype)
            return self.shortcut(x, gain=half) + self.two(self.one(seen), gain=half)


def by_size(size: int, blocks: Iterable[JudgeBlock]) -> nn.Sequential:
    """Blocks one after the other, the first one on maps `size` wide, each named after the size of what it sees.

    So named, the blocks of judges of frames of different sizes are the same where they do the same work, which is what
    `start_from=` goes by.
    """
    named = nn.Sequential()
    for block in blocks:
        named.add_module(f"at{size}", block)
        size //= 2
    return named


class JudgeEnd(nn.Module):
    """The last map (N, inputs, 4, 4), condition (N, condition_dim) -> logits (N,); in full precision.

    Minibatch deviation, a 3x3 convolution, and two linear layers. With a condition the last one gives a vector, whose
    product with the mapped condition, over the root of the width, is the logit: projection (Miyato & Koyama 2018, arXiv
    1802.05637).

    Args:
        width: of the layers; the width of a map without frames side by side.
        group: clips that are compared with each other (`MinibatchStd`), or None.
        deviation: whether there is a minibatch deviation at all.
        condition_dim: 0 for none.
        mapping_layers: of the condition.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        group: int | None,
        deviation: bool = True,
        condition_dim: int,
        mapping_layers: int,
        clamp: float | None,
    ):
        super().__init__()
        self.deviation = MinibatchStd(group) if deviation else None
        self.conv = EqualizedConv2d(inputs + deviation, width, 3, clamp=clamp)
        self.hidden = EqualizedLinear(16 * width, width)
        self.out = EqualizedLinear(width, width if condition_dim else 1)
        self.mapping = (
            MappingNetwork(0, width, label_dim=condition_dim, layers=mapping_layers, decay=None)
            if condition_dim
            else None
        )

    def forward(self, x: Tensor, condition: Tensor | None, frames: int = 1) -> Tensor:
        """`frames` of each clip side by side in x, as for `MinibatchStd`."""
        with precision_of(x, reduced=False):
            x = at_least_float32(x)
            x = self.conv(x if self.deviation is None else self.deviation(x, frames))
            x = self.out(biased_activation(self.hidden(x.flatten(1)), None))
            if self.mapping is None:
                return x[:, 0]
            return (x * self.mapping(None, condition)).sum(1) / math.sqrt(x.shape[1])


class FromPixels(EqualizedConv2d):
    """1x1 convolution of pixels (N, C, H, W) with activation."""

    def __init__(self, channels: int, outputs: int, *, clamp: float | None):
        super().__init__(channels, outputs, 1, clamp=clamp)


class ImageJudge(nn.Module):
    """Images (N, C, size, size) and condition -> logits (N,) and the last map (N, D, 4, 4).

    Images may be frames of clips, as for `MinibatchStd`.

    Args:
        size: 8, 16, 32, ...
        channels: of an image.
        condition_dim: of what the logits depend on beside the image, such as a one-hot label; 0 for none.
        base_channels, max_channels: width at full size, which doubles with every halving, and its limit.
        clamp: limit of the convolutions' outputs, or None.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        group: images that are compared with each other (`MinibatchStd`), or None.
        mapping_layers: of the condition.
    """

    def __init__(
        self,
        *,
        size: int,
        channels: int,
        condition_dim: int = 0,
        base_channels: int = 64,
        max_channels: int = 512,
        clamp: float | None = 256.0,
        reduced_sizes: int = 4,
        group: int | None = 4,
        mapping_layers: int = 8,
    ):
        super().__init__()
        shape = widths(doublings(size) + 1, base_channels, max_channels)
        least = reduced_from(size, reduced_sizes)
        self.first = FromPixels(channels, shape[0], clamp=clamp)
        self.blocks = by_size(
            size,
            (
                JudgeBlock(wide, wide, narrow, clamp=clamp, reduced=size >> number >= least)
                for number, (wide, narrow) in enumerate(pairwise(shape))
            ),
        )
        self.end = JudgeEnd(
            shape[-1],
            shape[-1],
            group=group,
            condition_dim=condition_dim,
            mapping_layers=mapping_layers,
            clamp=clamp,
        )

    def forward(
        self, images: Tensor, condition: Tensor | None = None, frames: int = 1
    ) -> tuple[Tensor, Tensor]:
        last = self.blocks(self.first(images))
        return self.end(last, condition, frames), last
