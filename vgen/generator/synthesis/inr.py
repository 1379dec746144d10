"""Code -> frame as a function of position: no pixel sees another."""

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.layer.coordinates import CoordinateWaves
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.factorized_layer import FactorizedLayer
from vgen.layer.mapping import MappingNetwork
from vgen.layer.precision import at_least_float32
from vgen.layer.pyramid import doublings, widths
from vgen.layer.style_layer import StyleToPixels


class INR(nn.Module):
    """Content and motion -> frames (N, C, size, size), linear: about [-1, 1], not clamped.

    Waves over positions, whose directions the style w sets and whose phases w and the motion, pass linear layers that
    work on each position by itself. The first ones work at `start_size`; where frames double (nearest neighbour), waves
    at the new size join. Every size paints, and what it paints is added up. w comes from the content, and a
    label that it carries, by a mapping network.

    Source: DIGAN, Yu et al. 2022, arXiv 2202.10571; sihyun-yu/digan: configs/digan.yml, src/training/networks.py.

    Args:
        content_dim, motion_dim: widths of the two codes.
        label_dim: width of a one-hot label at the end of the content, for a map of its own; 0 for none.
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        w_dim: width of w.
        mapping_layers: of the mapping network.
        rank: of what a style multiplies a layer's matrix with.
        waves: at each size.
        start_size: of the first layers; the frame's size if that is less.
        speed, timed: how motion moves the waves (`CoordinateWaves`); DIGAN's own motion ("direction") is timed.
        base_channels: width at full size, 32768 / size in DIGAN; it doubles with every halving.
        max_channels: the width's limit.
    """

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
        rank: int = 10,
        waves: int = 128,
        start_size: int = 32,
        speed: float = 0.25,
        timed: bool = False,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        outwards = widths(doublings(size) + 1, base_channels, max_channels)[::-1]
        start = min(start_size, size)
        if start < 4 or start & (start - 1):
            raise ValueError(f"generator.synthesis.start_size={start_size}: must be 4, 8, 16, ...")
        self.mapping = MappingNetwork(content_dim, w_dim, label_dim=label_dim, layers=mapping_layers)

        def waves_at(size: int) -> CoordinateWaves:
            return CoordinateWaves(w_dim, motion_dim, size=size, waves=waves, speed=speed, timed=timed)

        self.waves = waves_at(start)
        self.first = FactorizedLayer(self.waves.dim, outwards[0], w_dim, rank=rank)
        self.first_pixels = StyleToPixels(outwards[0], channels, w_dim)
        self.blocks = nn.ModuleList()
        styled = 2  # layers that take a style: the first one and, at the end, the last step to pixels
        for number, (wide, narrow) in enumerate(pairwise(outwards)):
            reached = 8 << number
            joining = waves_at(reached) if reached > start else None
            layers = 3 if reached in (128, 256) else 2  # as published; larger frames are not
            self.blocks.append(_Block(wide, narrow, w_dim, channels, joining, layers=layers, rank=rank))
            styled += layers
        self.style_shape = styled, w_dim

    def forward(self, content: Tensor, motion: Tensor) -> Tensor:
        return self.paint(self.styles(content), motion)

    def styles(self, content: Tensor) -> Tensor:
        """The style of every layer (N, layers, w_dim): the same for all."""
        return self.mapping.styles(content, self.style_shape[0])

    def paint(self, w: Tensor, motion: Tensor) -> Tensor:
        """Frames from a style for every layer, w (N, layers, w_dim), and motion (N, motion_dim).

        Waves have the style of the layer that they enter; the step to pixels shares its style with the next layer.
        """
        styles = w.unbind(1)
        x = self.first(self.waves(styles[0], motion), styles[0])
        image = at_least_float32(self.first_pixels(x, styles[1]))
        at = 1
        for block in self._blocks():
            x, image = block(x, image, styles[at : at + len(block.layers) + 1], motion)
            at += len(block.layers)
        return image

    def style_maps(self) -> list[Tensor]:
        """For every layer the maps (outputs, w_dim) of its style, and of what shares it."""
        layers: list[list[EqualizedLinear]] = [
            [*self.waves.style_maps(), self.first.style],
            [self.first_pixels.style],
        ]
        for block in self._blocks():
            if block.waves is not None:
                layers[-1] += block.waves.style_maps()
            first, *others = cast(list[FactorizedLayer], list(block.layers))
            layers[-1].append(first.style)
            layers += [[layer.style] for layer in others]
            layers.append([block.pixels.style])
        width = self.style_shape[1]
        return [torch.cat([affine.matrix()[:, :width] for affine in at]) for at in layers]

    def _blocks(self) -> "list[_Block]":
        return cast(list[_Block], list(self.blocks))


class _Block(nn.Module):
    """Layers at one size, which is twice the last one's where waves join."""

    layers: nn.ModuleList

    def __init__(
        self,
        wide: int,
        narrow: int,
        w_dim: int,
        channels: int,
        waves: CoordinateWaves | None,
        *,
        layers: int,
        rank: int,
    ):
        super().__init__()
        self.waves = waves
        inputs = [wide + (waves.dim if waves is not None else 0), *[narrow] * (layers - 1)]
        self.layers = nn.ModuleList(FactorizedLayer(width, narrow, w_dim, rank=rank) for width in inputs)
        self.pixels = StyleToPixels(narrow, channels, w_dim)

    def forward(
        self, x: Tensor, image: Tensor, styles: tuple[Tensor, ...], motion: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.waves is not None:
            x = _with_waves(F.interpolate(x, scale_factor=2.0, mode="nearest"), self.waves(styles[0], motion))
            image = F.interpolate(image, scale_factor=2.0, mode="nearest")
        for layer, style in zip(self.layers, styles, strict=False):
            x = layer(x, style)
        return x, image + at_least_float32(self.pixels(x, styles[-1]))


def _with_waves(x: Tensor, waves: Tensor) -> Tensor:
    return torch.cat([x, waves.to(x.dtype)], 1)
