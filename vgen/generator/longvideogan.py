"""LongVideoGAN's low-resolution stage: an endless time line of styles, and 3-D convolutions that they modulate."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.equalized import EqualizedLinear
from vgen.layer.kaiser import kaiser_lowpass
from vgen.layer.keyed_noise import clip_seeds, kept_noise
from vgen.layer.label import one_hot
from vgen.layer.lowpass_noise import LowpassNoise
from vgen.layer.magnitude import MagnitudeGain
from vgen.layer.mapping import MappingNetwork
from vgen.layer.precision import at_least_float32, precision_of, reduced_from
from vgen.layer.pyramid import doublings, widths
from vgen.layer.state import with_state
from vgen.layer.style_layer import StyleToPixels
from vgen.layer.style_video_block import StyleVideoBlock
from vgen.layer.time_windows import Window, after_doubling, before_doubling, before_halving

_TAPS = 12  # of the filter that halves the styles' frame rate
_TEMPORAL = 6  # blocks with convolutions over time; all but the last may double it


class LongVideoGAN(nn.Module):
    """Low-pass noise -> a style per frame -> 3-D convolutions that double time and frames -> video, linear.

    Every frame has noise (`LowpassNoise`), which a mapping network turns into its style w. Six residual blocks
    (`StyleVideoBlock`) with kernels 3x3x3 begin 2^time_doublings frames apart, from w filtered down to that rate plus a
    learned 4x4 map; each is modulated by w at its own rate. Blocks without time follow, two for each doubling left.

    Frames lie at whole multiples of `step` frames of the data, on one endless time line, negative times included, and
    any choice of them can be made: in chunks as at once. Each call makes the time line from the first to the last
    frame, and at most 2^time_doublings - 1 more on either side, and paints what is asked for. Between frames there is
    nothing, and `check_times` refuses such times. Time 0 of a clip is a random one of 2^time_doublings places, so that
    what the coarse levels do at certain frames shows at any.

    Source: LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429, §3.1, and NVlabs/long-video-gan:
    model/generator_lres.py. With a `size` of 64 it has the published network's channels, also its 83.22 million
    parameters, though that makes frames of 36x64 (2 048 parameters fewer). There, 8 frames beyond the clip are made at
    every level and cropped with what zeros at their ends have spoilt; here, as many as are needed, without zeros. The
    magnitudes follow both players' steps here.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        classes: 0 is unconditional, and labels are then ignored (an addition: the paper has no classes).
        content_dim: width of a code N(0, I) per clip that joins the noise of every frame; 0, as published, for none.
            A condition needs one.
        noise_channels, filters, shortest, longest: of `LowpassNoise`.
        w_dim: width of the styles; null is 16 * base_channels, 1024 as published.
        mapping_layers: of the mapping network.
        time_doublings: 1 to 5.
        step: frames of the data between two frames of its time line.
        clamp: limit of the convolutions' outputs, or null.
        reduced_sizes: how many of the largest sizes are computed in the trainer's precision, the others in full.
        output_scale: of the pixels.
        base_channels: width at full size; it doubles with every halving.
        max_channels: the width's limit.
    """

    frames: int | None = None
    reads_times = True

    down_filter: Tensor

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        classes: int = 0,
        content_dim: int = 0,
        noise_channels: int = 8,
        filters: int = 128,
        shortest: float = 125.0,
        longest: float = 5000.0,
        w_dim: int | None = None,
        mapping_layers: int = 2,
        time_doublings: int = 5,
        step: int = 1,
        clamp: float | None = 256.0,
        reduced_sizes: int = 0,
        output_scale: float = 0.25,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if not 1 <= time_doublings < _TEMPORAL:
            raise ValueError(f"generator.time_doublings={time_doublings}: must be 1 to {_TEMPORAL - 1}")
        if step < 1:
            raise ValueError(f"generator.step={step}: frames lie at least 1 frame of the data apart")
        self.classes, self.content_dim, self.step = classes, content_dim, step
        self.levels_of_time = time_doublings
        self.output_scale = output_scale
        w_dim = 16 * base_channels if w_dim is None else w_dim
        self.noise = LowpassNoise(
            channels=noise_channels, filters=filters, shortest=shortest, longest=longest
        )
        self.mapping = MappingNetwork(
            self.noise.dim + content_dim, w_dim, label_dim=classes, layers=mapping_layers
        )
        outwards = widths(doublings(size) + 1, base_channels, max_channels)[::-1]
        least = reduced_from(size, reduced_sizes)
        self.state_shape = (outwards[0], 4, 4)
        self.constant = nn.Parameter(torch.randn(outwards[0], 4, 4))
        self.first = EqualizedLinear(w_dim, outwards[0])
        plan = _blocks(outwards)
        self.blocks = nn.ModuleList(
            StyleVideoBlock(
                inputs,
                outputs,
                w_dim,
                temporal_kernel=3 if number < _TEMPORAL else 1,
                double_time=number < time_doublings,
                up=up,
                clamp=clamp,
            )
            for number, (inputs, outputs, up) in enumerate(plan)
        )
        sizes = [4 * 2 ** sum(up for *_, up in plan[:number]) for number in range(len(plan))]
        self.reduced = [at >= least for at in sizes]
        self.magnitude = MagnitudeGain()
        self.pixels = StyleToPixels(outwards[-1], channels, w_dim, clamp=clamp)
        taps = kaiser_lowpass(_TAPS, cutoff=1.0, width=6.0, rate=8.0)
        self.register_buffer("down_filter", taps, persistent=False)
        period = 2**time_doublings
        self.beyond = self._windows(period)[0][0]  # relative to one period: what is needed on either side

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts "motion_start" (B,) and "motion_first" (B,), int64: where time 0 lies on a clip's time line, and
        the number of the first frame that is made; "motion_noise" (B, n, noise_channels) behind all frames that are
        made; and, with a content_dim, "content" (B, content_dim).
        """
        seeds = clip_seeds(batch, rng)
        start = torch.randint(2**self.levels_of_time, (batch,), generator=rng)
        content = {"content": torch.randn(batch, self.content_dim, generator=rng)} if self.content_dim else {}
        return {**content, **self._around(times, start, seeds)}

    def latent_at(self, latent: Latent, known: Tensor, times: Tensor, rng: torch.Generator) -> Latent:
        """The motion of `latent` for `times` (B, T) on the same time line; noise of further frames is drawn."""
        moved = self._around(times, latent["motion_start"], clip_seeds(len(times), rng))
        # Both begin equally far before their first frames.
        noise = kept_noise(
            moved["motion_noise"], moved["motion_first"], latent["motion_noise"], latent["motion_first"]
        )
        return moved | {"motion_noise": noise}

    def _around(self, times: Tensor, start: Tensor, seeds: Tensor) -> Latent:
        """The motion's parts that `times` need, of clips that start at `start` (B,) on their time lines."""
        period = 2**self.levels_of_time
        least, most = (int(bound) for bound in self._numbers(times).aminmax())
        first = (least + start).div(period, rounding_mode="floor") * period
        frames = math.ceil((most - least + period) / period) * period
        beyond = self._beyond(frames)
        noise = self.noise.draw(seeds, first + beyond.first, beyond.end - beyond.first)
        return {"motion_start": start, "motion_first": first, "motion_noise": noise}

    def check_times(self, times: Tensor) -> None:
        position = times / self.step
        if ((position - position.round()).abs() > 1e-3).any():
            at = [round(time, 3) for time in times[0, :4].tolist()]
            raise ValueError(
                f"generator=longvideogan makes frames at multiples of {self.step} (generator.step), not at {at}; "
                "choose a stride and start of that kind, or generator=styleganv for any times"
            )

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Frames at `times` (B, T) -> video (B, C, T, H, W), about [-1, 1]."""
        noise = latent["motion_noise"]
        spare = self.beyond.end - self.beyond.first - 2**self.levels_of_time
        frames = noise.shape[1] - (self.noise.memory - 1) - spare
        styles, shown = self._windows(frames)
        w = self._styles(latent, label, styles)
        index = self._numbers(times) + (latent["motion_start"] - latent["motion_first"])[:, None]
        if index.device.type == "cpu" and not (index.min() >= 0 and index.max() < frames):
            raise ValueError(
                "the motion noise was drawn for other times; draw the latent with the times that the clip is to have"
            )
        coarse = w[-1][:, shown[0].within(styles[-1])]
        with precision_of(noise, reduced=False):
            first = self.first(coarse).transpose(1, 2)[..., None, None]
            x = with_state((first + self.constant[:, None]) * math.sqrt(0.5), latent)
        for number, window in enumerate(shown):
            level = max(self.levels_of_time - number, 0)
            style = w[level][:, window.within(styles[level])]
            x = self._run(number, x, style)
            window = window.grown(-2)
            if level:
                window = after_doubling(window)
            wanted = shown[number + 1] if number + 1 < _TEMPORAL else Window(0, frames)
            x = x[:, :, wanted.within(window)]
        x = x.gather(2, index[:, None, :, None, None].expand(-1, x.shape[1], -1, *x.shape[3:]))
        style = w[0].gather(1, (index - styles[0].first)[:, :, None].expand(-1, -1, w[0].shape[2]))
        for number in range(_TEMPORAL, len(self.blocks)):
            x = self._run(number, x, style)
        with precision_of(x, reduced=self.reduced[-1]):
            x = x * self.magnitude(x).to(x.dtype)
            maps = x.transpose(1, 2).flatten(0, 1)  # (B*T, C, H, W)
            pixels = self.pixels(maps, style.flatten(0, 1)) * self.output_scale
        return at_least_float32(pixels).unflatten(0, (len(noise), -1)).transpose(1, 2)

    def _run(self, number: int, x: Tensor, style: Tensor) -> Tensor:
        reduced = self.reduced[number]
        with precision_of(x, reduced=reduced):
            return self.blocks[number](x if reduced else at_least_float32(x), style)

    def _styles(self, latent: Latent, label: Tensor | None, windows: list[Window]) -> list[Tensor]:
        """w (B, frames, w_dim) of each level of time, the finest first, in its window."""
        codes = self.noise(latent["motion_noise"])
        batch, frames = codes.shape[:2]
        if self.content_dim:
            codes = torch.cat([codes, latent["content"].to(codes.dtype)[:, None].expand(-1, frames, -1)], 2)
        label_code = None
        if self.classes:
            known = one_hot(label, self.classes, dtype=codes.dtype)
            label_code = known[:, None].expand(-1, frames, -1).flatten(0, 1)
        w = [self.mapping(codes.flatten(0, 1), label_code).unflatten(0, (batch, frames))]
        for finer, coarser in pairwise(windows):
            needed = w[-1][:, before_halving(coarser, _TAPS).within(finer)]
            lines = needed.transpose(1, 2).flatten(0, 1)[:, None]  # (B*D, 1, T)
            taps = self.down_filter.to(lines.dtype)[None, None]
            with precision_of(lines, reduced=False):
                halved = F.conv1d(lines, taps, stride=2)[:, 0]
            w.append(halved.unflatten(0, (batch, -1)).transpose(1, 2))
        return w

    def _windows(self, frames: int) -> tuple[list[Window], list[Window]]:
        """For frames 0 to `frames` - 1, a multiple of 2^levels: the styles' window at each level, the finest first, and
        the window of what each block over time takes, the first block first.
        """
        levels = self.levels_of_time
        window = Window(0, frames)
        taken = []
        for number in reversed(range(_TEMPORAL)):
            if number < levels:
                window = before_doubling(window)
            window = window.grown(2)
            taken.insert(0, window)
        at_level = [Window(0, frames)] * (levels + 1)
        for number, window in enumerate(taken):
            level = max(levels - number, 0)
            at_level[level] = at_level[level].joined(window) if level == 0 else window
        for level in reversed(range(levels)):
            at_level[level] = at_level[level].joined(before_halving(at_level[level + 1], _TAPS))
        return at_level, taken

    def _beyond(self, frames: int) -> Window:
        """The styles' window at full rate for `frames` frames."""
        return Window(self.beyond.first, self.beyond.end + frames - 2**self.levels_of_time)

    def _numbers(self, times: Tensor) -> Tensor:
        """Times in frames of the data -> numbers of frames of its own, int64."""
        return (times / self.step).round().long()


def _blocks(outwards: list[int]) -> list[tuple[int, int, bool]]:
    """Inputs, outputs and whether frames double, of each block; `outwards` are the widths from 4x4 to full size."""
    sizes = len(outwards)
    at = [0, 0, 1, 1, 2, 2]  # which size the blocks over time work at; the second and the fourth double
    at = [min(number, sizes - 1) for number in at]
    after = [0, 1, 1, 1, 2, 2]  # the width that each of them leaves
    after = [min(number, sizes - 1) for number in after]
    before = [0, *after[:-1]]
    plan = [
        (outwards[i], outwards[o], here < there)
        for i, o, here, there in zip(before, after, at, [*at[1:], at[-1]], strict=True)
    ]
    for narrow in range(3, sizes):
        plan.append((outwards[narrow - 1], outwards[narrow], True))
        plan.append((outwards[narrow], outwards[narrow], False))
    return plan
