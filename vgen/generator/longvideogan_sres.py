"""LongVideoGAN's super-resolution stage: small frames of a clip -> large ones, by an alias-free network."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from vgen.clip import GIVEN, Clip, Latent, regular_times
from vgen.layer.alias_free_layer import AliasFreeLayer, AliasFreeToPixels
from vgen.layer.band_plan import band_plan
from vgen.layer.label import one_hot
from vgen.layer.mapping import MappingNetwork
from vgen.layer.precision import at_least_float32, precision_of, reduced_from
from vgen.layer.pyramid import doublings
from vgen.layer.small_frames import neighbourhoods, resampled, shrink


class SuperResolution(nn.Module):
    """Each small frame, with `context` neighbours on either side, and a code per clip -> a large frame, linear.

    StyleGAN3's layers without its waves: before every layer, and the first one has nothing else, the small frames are
    brought to the layer's rate and join its input. The code "detail", N(0, I), becomes the style of all frames.

    It is given small frames (`vgen.clip.Generator`): in training those of the real clips, made small and then distorted
    by `corruption`; for sampling those of a generator of small clips (vgen sample small=RUN), or of real ones.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429, §3.3, and NVlabs/long-video-gan:
    model/generator_sres.py, at 256 pixels: 27.17 million parameters with base_channels=128. There, frames need not be
    square, and the border of the small frames is repeated after they are resampled instead of before.

    Args:
        size: height and width of a large frame: 8, 16, 32, ...
        small_size: of a small one, less.
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored (an addition: the paper has no classes).
        context: neighbours on either side; 4 in the paper.
        cut_ends: whether a clip of training loses `context` frames at either end, which are then neighbours alone, as
            in the paper: the discriminator sees clip.frames - 2 context frames. Without, the first and last frame of a
            clip stand for the neighbours that they lack.
        latent_dim: width of the code.
        w_dim: width of the style.
        mapping_layers: of the mapping network.
        layers, critical, margin: of `band_plan`; a margin of null is 10, or an eighth of `size` if that is less.
        corruption: what small frames go through in training, an augmentation; null for nothing.
        clamp: limit of what each layer gives, or null.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        base_channels: width of the last layers, 32768 / size in the paper.
        max_channels: the width's limit.
    """

    frames: int | None = None
    reads_times = True

    def __init__(
        self,
        *,
        size: int = 256,
        small_size: int = 64,
        channels: int = 3,
        classes: int = 0,
        context: int = 4,
        cut_ends: bool = False,
        latent_dim: int = 512,
        w_dim: int = 512,
        mapping_layers: int = 2,
        layers: int = 14,
        critical: int = 2,
        margin: int | None = None,
        corruption: Callable[[Clip], Clip] | None = None,
        clamp: float | None = 256.0,
        reduced_sizes: int = 4,
        base_channels: int = 128,
        max_channels: int = 512,
    ):
        super().__init__()
        doublings(size)  # or an error
        if not 4 <= small_size < size or small_size & (small_size - 1):
            raise ValueError(
                f"generator.small_size={small_size}: must be 4, 8, 16, ..., and less than clip.size={size}"
            )
        if context < 0:
            raise ValueError(f"generator.context={context}: must be at least 0 frames")
        if getattr(corruption, "target", None) is not None:
            raise ValueError(
                "generator.corruption follows no discriminator; set generator.corruption.target=null and its p"
            )
        self.size, self.small_size, self.channels, self.classes = size, small_size, channels, classes
        self.context, self.given_beyond = context, context if cut_ends else 0
        self.latent_dim = latent_dim
        self.corruption = corruption
        self.mapping = MappingNetwork(
            latent_dim, w_dim, label_dim=classes, layers=mapping_layers, decay=0.998
        )
        bands = band_plan(
            size,
            base_channels=base_channels,
            max_channels=max_channels,
            layers=layers,
            critical=critical,
            margin=min(10, size // 8) if margin is None else margin,
        )[:-1]
        beside = channels * (2 * context + 1)
        entering = [replace(bands[0], width=0), *bands]  # before each layer and before the pixels
        self.entering = [replace(band, width=band.width + beside) for band in entering]
        # The first layer neither raises nor lowers the rate.
        self.blocks = nn.ModuleList(
            AliasFreeLayer(before, after, w_dim, clamp=clamp)
            for before, after in zip(self.entering, bands, strict=False)
        )
        least = reduced_from(size, reduced_sizes)
        self.reduced = [band.rate >= least for band in bands]
        self.pixels = AliasFreeToPixels(self.entering[-1].width, channels, w_dim, clamp=clamp)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "detail" (B, latent_dim); what is "given" is not drawn."""
        return {"detail": torch.randn(batch, self.latent_dim, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        # In evaluation the ends of what is given are repeated.
        if self.training and times.shape[1] <= 2 * self.given_beyond:
            raise ValueError(
                f"of clips of {times.shape[1]} frames none are left after {self.given_beyond} at either end, which are "
                "neighbours only; set clip.frames to more, or generator.cut_ends=false"
            )

    @torch.no_grad()
    def give(self, video: Tensor) -> Tensor:
        """What it is given of real clips (B, C, T, H, W): small ones (B, C, T, h, h), distorted in training."""
        small = shrink(video, self.small_size)
        if self.corruption is None or not self.training:
            return small
        return self.corruption(Clip(small, regular_times(*small.shape[:3:2], device=small.device))).video

    def decompose(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """The large frames at `times` (B, T) as "video", and the small ones that they were made from as "low"."""
        given = self._given(latent)
        frames = times.shape[1]
        spare = given.shape[2] - frames
        middle = given[:, :, spare // 2 : spare // 2 + frames] if spare in (0, 2 * self.context) else None
        made = {"video": self._paint(latent, given, frames, label)}
        return made if middle is None else made | {"low": middle}

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Frames at `times` (B, T) from "given" (B, C, t, h, h) -> video (B, C, T, H, W), about [-1, 1].

        t is T, T + 2 context or T * (2 context + 1), as in `neighbourhoods`.
        """
        return self._paint(latent, self._given(latent), times.shape[1], label)

    def _given(self, latent: Latent) -> Tensor:
        wanted = (self.channels, self.small_size, self.small_size)
        if GIVEN not in latent:
            raise ValueError(
                f"generator=longvideogan_sres enlarges clips and was given none: it needs frames of {self._said()}"
            )
        given = latent[GIVEN]
        if (given.shape[1], *given.shape[3:]) != wanted:
            channels, _, height, width = given.shape[1:]
            raise ValueError(
                f"generator=longvideogan_sres needs frames of {self._said()}, not of {channels}x{height}x{width}"
            )
        return given

    def _said(self) -> str:
        return f"{self.channels}x{self.small_size}x{self.small_size}"

    def _paint(self, latent: Latent, given: Tensor, frames: int, label: Tensor | None) -> Tensor:
        stacks = neighbourhoods(at_least_float32(given), frames, self.context)  # (B*T, D, h, h)
        detail = latent["detail"]
        label_code = one_hot(label, self.classes, dtype=detail.dtype) if self.classes else None
        w = self.mapping(detail, label_code).repeat_interleave(frames, 0)
        beside: dict[tuple[int, int], Tensor] = {}
        with precision_of(stacks, reduced=False):
            for band in self.entering:
                if (band.rate, band.size) not in beside:
                    beside[band.rate, band.size] = resampled(stacks, rate=band.rate, size=band.size)
        x = None
        for layer, band, reduced in zip(self.blocks, self.entering, self.reduced, strict=False):
            with precision_of(stacks, reduced=reduced):
                x = layer(self._joined(x, beside[band.rate, band.size], reduced), w)
        with precision_of(stacks, reduced=self.reduced[-1]):
            last = self.entering[-1]
            x = self.pixels(self._joined(x, beside[last.rate, last.size], self.reduced[-1]), w)
        pixels = at_least_float32(x) / 4  # StyleGAN3's scale of pixels
        return pixels.unflatten(0, (-1, frames)).transpose(1, 2)

    @staticmethod
    def _joined(x: Tensor | None, small: Tensor, reduced: bool) -> Tensor:
        if x is None:
            return small
        x = x if reduced else at_least_float32(x)
        return torch.cat([x, small.to(x.dtype)], 1)
