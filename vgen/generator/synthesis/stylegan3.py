"""Code -> frame by style without aliasing: details move with what they belong to, and do not stick to pixels."""

from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn

from vgen.layer.alias_free_layer import AliasFreeLayer, AliasFreeToPixels
from vgen.layer.band_plan import band_plan
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.fourier_input import FourierInput
from vgen.layer.mapping import MappingNetwork
from vgen.layer.precision import at_least_float32, precision_of, reduced_from
from vgen.layer.pyramid import doublings

MotionTo = Literal["both", "input", "w"]
Fuse = Literal["concat", "add"]


class StyleGAN3(nn.Module):
    """Content and motion -> frames (N, C, size, size), linear: about [-1, 1], not clamped.

    The content, and a label that it carries, pass the mapping network and become the style w of every layer. Waves,
    which w turns and shifts, pass 14 layers of rising frequency, whatever the frame's size.

    The motion v, times a learned mask that is 0 at first, enters as StyleSV has it: an affine map of it joins the
    channels of the waves ("input"), and the styles of the layers become an affine map of [w, v] ("w"). A generator of
    images that was trained with the mask at 0 (`learn_mask` false) is the one that learning to move begins with.
    Without motion (`motion_dim` 0) this is StyleGAN3's config T.

    Source: StyleGAN3, Karras et al. 2021, arXiv 2106.12423 (T: 3x3 kernels, equivariant to translation);
    NVlabs/stylegan3: training/networks_stylegan3.py; StyleSV, Zhang et al. 2023, and genforce/StyleSV:
    src/training/networks.py.

    Args:
        content_dim, motion_dim: widths of the two codes.
        label_dim: width of a one-hot label at the end of the content, for a map of its own; 0 for none.
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        w_dim: width of w.
        mapping_layers: of the mapping network.
        motion_to: where the motion enters: "both", "input" or "w".
        fuse: how it enters w: "concat" as above; "add" adds a linear map of v to w (StyleSV's v is as wide as w, and is
            added as it is).
        learn_mask: whether the mask is trained; false keeps the motion out.
        layers: how many, of which the last `critical` ones are critically sampled.
        margin: pixels around the picture of all but the last maps.
        clamp: limit of what each layer gives, so that half precision does not overflow, or None.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        base_channels: width of the last layers: 32768 / size in StyleGAN3, 16384 / size in StyleSV.
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
        motion_to: MotionTo = "both",
        fuse: Fuse = "concat",
        learn_mask: bool = True,
        layers: int = 14,
        critical: int = 2,
        margin: int = 10,
        clamp: float | None = 256.0,
        reduced_sizes: int = 4,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if motion_to not in ("both", "input", "w"):
            raise ValueError(f"generator.synthesis.motion_to must be both, input or w, not {motion_to!r}")
        if fuse not in ("concat", "add"):
            raise ValueError(f"generator.synthesis.fuse must be concat or add, not {fuse!r}")
        doublings(size)  # or an error
        self.fuse = fuse
        self.mapping = MappingNetwork(
            content_dim, w_dim, label_dim=label_dim, layers=mapping_layers, decay=0.998
        )
        bands = band_plan(
            size,
            base_channels=base_channels,
            max_channels=max_channels,
            layers=layers,
            critical=critical,
            margin=margin,
        )
        first, *rest = bands[:-1]
        self.input = FourierInput(
            w_dim, first.width, size=first.size, rate=first.rate, bandwidth=first.cutoff
        )
        self.mask = self.motion_input = self.motion_style = None
        if motion_dim:
            self.mask = nn.Parameter(torch.zeros(motion_dim), requires_grad=learn_mask)
            if motion_to != "w":
                self.motion_input = EqualizedLinear(motion_dim, first.width, first_bias=1.0)
            if motion_to != "input":
                joined = motion_dim + (w_dim if fuse == "concat" else 0)
                self.motion_style = EqualizedLinear(joined, w_dim, bias=fuse == "concat", first_bias=1.0)
        least = reduced_from(size, reduced_sizes)
        self.reduced = [band.rate >= least for band in bands[:-1]]
        self.blocks = nn.ModuleList(
            AliasFreeLayer(before, after, w_dim, clamp=clamp)
            for before, after in pairwise([first, first, *rest])
        )
        self.pixels = AliasFreeToPixels(bands[-2].width, channels, w_dim, clamp=clamp)
        self.layers = 2 + len(self.blocks)  # that take a style: the waves' and the pixels' included
        self.style_shape = self.layers, w_dim

    def forward(self, content: Tensor, motion: Tensor) -> Tensor:
        return self.paint(self.styles(content), motion)

    def styles(self, content: Tensor) -> Tensor:
        """The style of every layer (N, layers, w_dim): the same for all."""
        return self.mapping.styles(content, self.layers)

    def style_maps(self) -> list[Tensor]:
        """For every layer the map (outputs, w_dim) of its style, through the map that joins motion to it."""
        later = [*cast(list[AliasFreeLayer], list(self.blocks)), self.pixels]
        maps = [layer.style.matrix() for layer in later]
        if self.motion_style is not None and self.fuse == "concat":
            joined = self.motion_style.matrix()[:, : self.style_shape[1]]
            maps = [one @ joined for one in maps]
        return [self.input.affine.matrix(), *maps]

    def paint(self, w: Tensor, motion: Tensor) -> Tensor:
        """Frames from a style for every layer, w (N, layers, w_dim), and motion (N, motion_dim)."""
        with precision_of(w, reduced=False):
            v = at_least_float32(motion) if self.mask is None else at_least_float32(motion) * self.mask
            x = self.input(w[:, 0])
            if self.motion_input is not None:
                x = x + self.motion_input(v)[:, :, None, None]
            styles = self._moved(w[:, 1:], v).unbind(1)
        for layer, style, reduced in zip(self.blocks, styles, self.reduced, strict=False):
            with precision_of(x, reduced=reduced):
                x = layer(x if reduced else at_least_float32(x), style)
        with precision_of(x, reduced=self.reduced[-1]):
            x = self.pixels(x if self.reduced[-1] else at_least_float32(x), styles[-1])
        return at_least_float32(x) / 4  # StyleGAN3's scale of pixels

    def _moved(self, w: Tensor, v: Tensor) -> Tensor:
        """Styles w (N, layers, w_dim) that know the motion v (N, motion_dim)."""
        if self.motion_style is None:
            return w
        if self.fuse == "add":
            return w + self.motion_style(v)[:, None]
        return self.motion_style(torch.cat([w, v[:, None].expand(-1, w.shape[1], -1)], 2))
