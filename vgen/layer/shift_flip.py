"""Small shifts and mirror images of clips: changes that say nothing about whether a clip is real."""

import torch
from torch import Tensor

from vgen.rng import draw_rows


def shift_and_flip(video: Tensor, *, shift: float, flip: bool) -> Tensor:
    """Each clip (B, C, T, H, W) moved by whole pixels, mirrored with probability 1/2, all its frames alike.

    Args:
        shift: largest distance, as a fraction of the frame's side; what comes in is reflected from inside.
        flip: whether to mirror at all.
    """
    uniform = draw_rows(video.shape[0], lambda rows, rng: torch.rand(rows, 3, generator=rng)).to(video.device)
    for dim, column in ((3, 0), (4, 1)):
        size = video.shape[dim]
        most = int(shift * size)
        distance = (uniform[:, column] * (2 * most + 1)).floor().long() - most  # (B,)
        source = torch.arange(size, device=video.device) - distance[:, None]  # (B, size)
        source = (size - 1) - ((size - 1) - source.abs()).abs()
        if flip and dim == 4:
            source = torch.where(uniform[:, 2:] < 0.5, source.flip(1), source)
        along = [video.shape[0], 1, 1, 1, 1]
        along[dim] = size
        video = video.gather(dim, source.view(along).expand_as(video))
    return video
