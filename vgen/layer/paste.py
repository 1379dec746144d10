"""Given frames put into a clip in place of the frames that were made for them."""

import torch
from torch import Tensor


def paste_frames(video: Tensor, given: Tensor, index: Tensor | None = None) -> Tensor:
    """`video` (B, C, T, H, W) with the frames `given` (B, C, k, H, W) where it shows one of the first k of a clip.

    `index` (B, T) says which frame of the clip each of the video's is; None: all, in order.
    """
    given = given.to(video.dtype)
    count = given.shape[2]
    if index is None:
        return torch.cat([given, video[:, :, count:]], 2)
    source = index.clamp(max=count - 1)[:, None, :, None, None].expand_as(video)
    known = (index < count)[:, None, :, None, None]
    return torch.where(known, given.gather(2, source), video)
