"""A pointwise non-linearity without aliasing: between an upsampling and a downsampling filter."""

from torch import Tensor, nn

from vgen.layer.biased_activation import GAIN, SLOPE, biased_activation
from vgen.layer.kaiser import kaiser_lowpass
from vgen.layer.upfirdn import upfirdn2d


class FilteredActivation(nn.Module):
    """x (N, C, given, given), bias (C,) -> (N, C, size, size): bias, upsample, leaky ReLU, clamp, downsample.

    A leaky ReLU makes frequencies higher than those of its input. Here they have room at twice the higher one of the
    two rates, and are filtered out before pixels are dropped. Pixels are samples of a signal in the plane whose centre
    is that of the map; the map may be larger than the picture, and may shrink or grow by a margin.

    Plain operators, which can be differentiated any number of times.

    Source: StyleGAN3, Karras et al. 2021, arXiv 2106.12423, §3 and appendices C and D (config T: separable Kaiser
    filters).

    Args:
        given, size: height and width of the map before and after.
        rate_in, rate_out: samples along a picture's side, before and after; both divide twice the greater one.
        cutoff_in, cutoff_out: of the two low-pass filters, in periods along a picture's side.
        half_in, half_out: half the width of the bands in which they fall.
        taps: of a filter, for each sample of the lower of its two rates.
        clamp: limit of the activation times sqrt(2), its gain, or None.
    """

    up_filter: Tensor
    down_filter: Tensor

    def __init__(
        self,
        *,
        given: int,
        size: int,
        rate_in: int,
        rate_out: int,
        cutoff_in: float,
        cutoff_out: float,
        half_in: float,
        half_out: float,
        taps: int = 6,
        clamp: float | None = None,
    ):
        super().__init__()
        rate = 2 * max(rate_in, rate_out)
        if rate % rate_in or rate % rate_out:
            raise ValueError(f"rates {rate_in} and {rate_out}: both must divide twice the greater one")
        self.up, self.down = rate // rate_in, rate // rate_out
        self.clamp = clamp
        up_taps, down_taps = taps * self.up, taps * self.down
        up_filter = kaiser_lowpass(up_taps, cutoff=cutoff_in, width=2 * half_in, rate=rate)
        down_filter = kaiser_lowpass(down_taps, cutoff=cutoff_out, width=2 * half_out, rate=rate)
        self.register_buffer("up_filter", up_filter, persistent=False)
        self.register_buffer("down_filter", down_filter, persistent=False)
        needed = (size - 1) * self.down + 1 + up_taps + down_taps - 2  # samples before both filters
        total = needed - given * self.up
        before = (total + self.up) // 2  # a pixel is the middle of a square, not its corner
        self.padding = (before, total - before, before, total - before)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = x + bias.to(x.dtype)[:, None, None]
        x = upfirdn2d(x, self.up_filter, up=self.up, padding=self.padding, gain=self.up**2)
        # The last filter applies the gain, where there are fewer pixels.
        limit = None if self.clamp is None else self.clamp / GAIN
        x = biased_activation(x, None, slope=SLOPE, gain=1.0, clamp=limit)
        return upfirdn2d(x, self.down_filter, down=self.down, gain=GAIN)
