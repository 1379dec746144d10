"""Changes along time: clips played backwards, faster or slower."""

from dataclasses import replace

import torch
from torch import Tensor

from vgen.augment.chance import Chance, change_where
from vgen.clip import Clip
from vgen.layer.times import check_dense
from vgen.layer.wavelet import reflect

TIME = ("reversal", "speed", "speed_anchor")


def change_time(clip: Clip, chance: Chance, *, reversal: float, speed: float) -> Clip:
    """Plays half of the clips backwards, and all faster or slower by 2 ** U(-1, 1) about a random moment.

    A faster clip needs more than there is: what lies beyond its first and last frame is mirrored in time. Frames in
    between are linear mixtures of two. A reversed clip's times are those of its frames, counted from the new first
    one; the times of a faster or slower clip stay as they are.
    """
    check_dense(clip, who="augment.reversal or augment.speed")
    reversed_ = chance.happens("reversal", reversal) & (chance.uniform("reversal") < 0.5)
    video = change_where(reversed_, clip.video, lambda v: v.flip(2))
    times = clip.times
    backwards = (times[:, :1] + times[:, -1:] - times).flip(1)
    times = torch.where(reversed_[:, None], backwards, times)
    factor = (chance.uniform("speed") * 2 - 1).exp2()
    anchor = chance.uniform("speed_anchor") * (clip.frames - 1)
    video = change_where(chance.happens("speed", speed), video, play, factor, anchor)
    return replace(clip, video=video, times=times)


def play(video: Tensor, factor: Tensor, anchor: Tensor) -> Tensor:
    """Plays `factor` (B,) times as fast; frame number `anchor` (B,) stays where it is."""
    frame = torch.arange(video.shape[2], device=video.device, dtype=video.dtype)
    factor, anchor = factor.to(video.dtype)[:, None], anchor.to(video.dtype)[:, None]
    source = reflect(anchor + (frame - anchor) * factor, len(frame))  # (B, T)
    mixture = (1 - (source[:, :, None] - frame).abs()).clamp(min=0)  # (B, T, T), each row sums to 1
    return torch.einsum("btk,bckhw->bcthw", mixture, video)
