"""Small versions of frames: made from large ones, resampled to any rate, and gathered with their neighbours."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.layer.kaiser import kaiser_lowpass
from vgen.layer.precision import at_least_float32
from vgen.layer.upfirdn import downsample2d, upsample2d

_TAPS = 6  # of a filter, for each sample of the lower rate


def shrink(video: Tensor, size: int) -> Tensor:
    """(B, C, T, H, W) -> (B, C, T, size, size), as vgen's data are resized: bicubic with antialiasing."""
    frames = at_least_float32(video.transpose(1, 2).flatten(0, 1))
    small = F.interpolate(frames, size=(size, size), mode="bicubic", antialias=True)
    return small.to(video.dtype).unflatten(0, (len(video), -1)).transpose(1, 2)


def enlarge(video: Tensor, size: int) -> Tensor:
    """(B, C, T, h, w) -> (B, C, T, size, size), bilinear."""
    if video.shape[3:] == (size, size):
        return video
    frames = video.transpose(1, 2).flatten(0, 1)
    large = F.interpolate(frames, size=(size, size), mode="bilinear", align_corners=False)
    return large.unflatten(0, (len(video), -1)).transpose(1, 2)


def neighbourhoods(video: Tensor, frames: int, context: int) -> Tensor:
    """(B, C, t, h, w) -> (B * frames, (2 context + 1) C, h, w): each frame with `context` frames on either side.

    t is frames + 2 context; or `frames`, the first and last of which are then repeated; or frames * (2 context + 1),
    the neighbours of each frame one behind the other.

    Raises:
        ValueError: any other t.
    """
    batch, given, wide = len(video), video.shape[2], 2 * context + 1
    if given == frames * wide:
        each = video.unflatten(2, (frames, wide))  # (B, C, T, wide, h, w)
    else:
        if given == frames:
            before, after = video[:, :, :1], video[:, :, -1:]
            video = torch.cat([*[before] * context, video, *[after] * context], 2)
        elif given != frames + 2 * context:
            raise ValueError(
                f"{frames} large frames need {frames}, {frames + 2 * context} or {frames * wide} small ones, "
                f"not {given}"
            )
        each = video.unfold(2, wide, 1).movedim(-1, 3)
    return each.permute(0, 2, 1, 3, 4, 5).flatten(2, 3).reshape(batch * frames, -1, *video.shape[3:])


def resampled(frames: Tensor, *, rate: int, size: int) -> Tensor:
    """(N, C, h, h) -> (N, C, size, size): `rate` samples along a picture's side instead of h, and a margin around the
    picture, or none, to `size`; the picture's border is repeated there. rate is h times or divided by a whole number.

    Source: NVlabs/long-video-gan: model/generator_sres.py (Kaiser filters of 6 taps for each sample of the lower rate).
    """
    small = frames.shape[-1]
    factor = max(rate, small) // min(rate, small)
    margin = math.ceil(max(0, size - rate) / 2 * small / rate)
    reach = _TAPS // 2 if rate > small else _TAPS // 2 * factor  # beyond which a filter sees zeros
    around = margin + reach
    if rate < small:  # so that positions of the result do not depend on it
        around = math.ceil(around / factor) * factor
    x = F.pad(frames, (around,) * 4, mode="replicate")
    if factor > 1:
        taps = kaiser_lowpass(_TAPS * factor, cutoff=1.0, width=6.0, rate=4.0 * factor).to(x)
        x = upsample2d(x, taps, up=factor) if rate > small else downsample2d(x, taps, down=factor)
    cut = (x.shape[-1] - size) // 2
    return x[..., cut : cut + size, cut : cut + size]
