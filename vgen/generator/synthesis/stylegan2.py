"""Code -> frame by style: a mapping network, and convolutions that its codes modulate."""

import math
from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn

from vgen.layer.filtered_conv import BINOMIAL, EqualizedConv2d
from vgen.layer.mapping import MappingNetwork
from vgen.layer.precision import at_least_float32, precision_of, reduced_from
from vgen.layer.pyramid import doublings, widths
from vgen.layer.style_layer import StyleLayer, StyleToPixels
from vgen.layer.upfirdn import fir_filter, upsample2d

MotionTo = Literal["input", "w"]
Architecture = Literal["skip", "resnet"]


class StyleGAN2(nn.Module):
    """Content and motion -> frames (N, C, size, size), linear: about [-1, 1], not clamped.

    The content, and a label that it carries, pass the mapping network and become the style w of every layer. The motion
    stands beside the learned constant that the convolutions start from ("input": StyleGAN-V), or beside w ("w":
    MoCoGAN+SG2).

    Source: StyleGAN2, Karras et al. 2020, arXiv 1912.04958; StyleGAN-V, Skorokhodov et al. 2022, arXiv 2112.14683, and
    universome/stylegan-v: src/training/networks.py, whose mapping has 2 layers and which adds no noise.

    Args:
        content_dim, motion_dim: widths of the two codes.
        label_dim: width of a one-hot label at the end of the content, for a map of its own; 0 for none.
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        w_dim: width of w.
        mapping_layers: of the mapping network.
        motion_to: where the motion enters.
        architecture: "skip" adds up what every size paints, "resnet" adds up maps and paints once.
        noise: whether every layer adds noise (`StyleLayer`). Noise flickers: frames of a clip get different one in
            training, and the same in evaluation.
        clamp: limit of what each layer gives, so that half precision does not overflow, or None.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        base_channels: width at full size, 16384 / size in StyleGAN-V below 512 pixels; it doubles with every halving.
        max_channels: the width's limit.
    """

    filter: Tensor

    def __init__(
        self,
        *,
        content_dim: int,
        motion_dim: int,
        label_dim: int = 0,
        size: int = 64,
        channels: int = 3,
        w_dim: int = 512,
        mapping_layers: int = 2,
        motion_to: MotionTo = "input",
        architecture: Architecture = "skip",
        noise: bool = False,
        clamp: float | None = 256.0,
        reduced_sizes: int = 4,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if motion_to not in ("input", "w"):
            raise ValueError(f"generator.synthesis.motion_to must be input or w, not {motion_to!r}")
        if architecture not in ("skip", "resnet"):
            raise ValueError(f"generator.synthesis.architecture must be skip or resnet, not {architecture!r}")
        self.motion_to = motion_to
        self.mapping = MappingNetwork(content_dim, w_dim, label_dim=label_dim, layers=mapping_layers)
        outwards = widths(doublings(size) + 1, base_channels, max_channels)[::-1]
        least = reduced_from(size, reduced_sizes)
        style_dim = w_dim + (motion_dim if motion_to == "w" else 0)
        self.constant = nn.Parameter(torch.randn(outwards[0], 4, 4))
        first = outwards[0] + (motion_dim if motion_to == "input" else 0)
        self.first = StyleLayer(first, outwards[0], style_dim, size=4, noise=noise, clamp=clamp)
        skip = architecture == "skip"
        self.first_pixels = StyleToPixels(outwards[0], channels, style_dim, clamp=clamp) if skip else None
        self.blocks = nn.ModuleList(
            _Block(
                wide,
                narrow,
                style_dim,
                size=8 << number,
                residual=not skip,
                channels=channels if skip or 8 << number == size else 0,
                noise=noise,
                clamp=clamp,
                reduced=8 << number >= least,
            )
            for number, (wide, narrow) in enumerate(pairwise(outwards))
        )
        self.register_buffer("filter", fir_filter(BINOMIAL), persistent=False)
        self.layers = 2 + 2 * len(self.blocks)  # that take a style, the last one's pixels included
        self.style_shape = self.layers, w_dim

    def forward(self, content: Tensor, motion: Tensor) -> Tensor:
        return self.paint(self.styles(content), motion)

    def styles(self, content: Tensor) -> Tensor:
        """The style of every layer (N, layers, w_dim): the same for all."""
        return self.mapping.styles(content, self.layers)

    def paint(self, w: Tensor, motion: Tensor) -> Tensor:
        """Frames from a style for every layer, w (N, layers, w_dim), and motion (N, motion_dim)."""
        x = self.constant.expand(len(w), -1, -1, -1)
        with precision_of(w, reduced=False):
            motion = at_least_float32(motion)
            if self.motion_to == "w":
                w = torch.cat([w, motion[:, None].expand(-1, w.shape[1], -1)], 2)
            else:
                x = torch.cat([x, motion[:, :, None, None].expand(-1, -1, 4, 4)], 1)
            styles = w.unbind(1)
            x = self.first(x, styles[0])
            image = None if self.first_pixels is None else self.first_pixels(x, styles[1])
        for number, block in enumerate(self.blocks):
            # The step to pixels shares its style with the next block's first layer.
            x, image = block(x, image, styles[1 + 2 * number : 4 + 2 * number], self.filter)
        assert image is not None
        return image

    def style_maps(self) -> list[Tensor]:
        """For every layer the maps (outputs, w_dim) of its style: of what its convolution reads, and of its pixels."""
        layers: list[list[StyleLayer | StyleToPixels | None]] = [[self.first], [self.first_pixels]]
        for block in cast(list[_Block], list(self.blocks)):
            layers[-1].append(block.one)
            layers += [[block.two], [block.pixels]]
        # The motion's share of a style, where it has one, stands behind w.
        width = self.style_shape[1]
        maps = [[layer.style.matrix()[:, :width] for layer in at if layer is not None] for at in layers]
        return [torch.cat(at) for at in maps]


class _Block(nn.Module):
    """Doubles the map and, where there is one, the image, to which it adds what it paints itself."""

    def __init__(
        self,
        wide: int,
        narrow: int,
        style_dim: int,
        *,
        size: int,
        residual: bool,
        channels: int,
        noise: bool,
        clamp: float | None,
        reduced: bool,
    ):
        super().__init__()
        self.reduced = reduced
        self.one = StyleLayer(wide, narrow, style_dim, size=size, up=2, noise=noise, clamp=clamp)
        self.two = StyleLayer(narrow, narrow, style_dim, size=size, noise=noise, clamp=clamp)
        self.shortcut = EqualizedConv2d(wide, narrow, 1, up=2, bias=False, slope=1.0) if residual else None
        self.pixels = StyleToPixels(narrow, channels, style_dim, clamp=clamp) if channels else None

    def forward(
        self, x: Tensor, image: Tensor | None, styles: tuple[Tensor, ...], filter: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        first, second, third = styles
        with precision_of(x, reduced=self.reduced):
            x = x if self.reduced else at_least_float32(x)
            if self.shortcut is None:
                x = self.two(self.one(x, first), second)
            else:
                half = math.sqrt(0.5)  # of the variance, to each of the two ways
                x = self.shortcut(x, gain=half) + self.two(self.one(x, first), second, gain=half)
            painted = None if self.pixels is None else at_least_float32(self.pixels(x, third))
        with precision_of(x, reduced=False):
            if image is None:
                return x, painted
            image = upsample2d(image, filter)
            return x, image if painted is None else image + painted
