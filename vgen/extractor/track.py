"""Where the coloured thing of a frame is: the track of one object, for sets whose law of motion is known."""

import torch
from torch import Tensor

from vgen.extractor.frames import check_pixels, fingerprint

_VERSION = "track 1"  # part of the fingerprint: change it with anything that changes a feature
FAINT = 32  # grey levels between the channels of a colour, below which nothing is coloured


class Track:
    """Clip -> "track" (B, T, 3): x and y of the centre of what is coloured, in frame sides, and its share of the frame.

    A pixel weighs as much as its channels differ beyond half of the frame's largest difference: grey things (a rod, a
    black background) and faint coloured noise weigh nothing. Meant for one object; of several it is the centre. A frame
    without colour has its centre in the middle and a share of 0. Takes (B, T, H, W, 3) uint8 at its own size.

    Raises:
        ValueError: clips without colours (C = 1).
    """

    name = "track"
    roles = ("track",)
    min_frames = 1

    def __init__(self) -> None:
        self.fingerprint = fingerprint(_VERSION)

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        check_pixels(pixels, self.name, frames=self.min_frames)
        if pixels.shape[4] != 3:
            raise ValueError("the track extractor follows colours: it needs 3 channels (clip.channels=3)")
        colour = (pixels.amax(dim=4) - pixels.amin(dim=4)).float()  # (B, T, H, W)
        weight = (colour - (colour.amax(dim=(2, 3), keepdim=True) / 2).clamp_min(FAINT)).clamp_min(0)
        total = weight.sum(dim=(2, 3))
        height, width = weight.shape[2:]
        x, y = (
            (torch.arange(side, device=pixels.device, dtype=torch.float32) + 0.5) / side
            for side in (width, height)
        )
        seen = total.clamp_min(1e-6)
        centre = torch.stack([weight.sum(dim=2) @ x / seen, weight.sum(dim=3) @ y / seen], dim=2)
        there = total > 0
        centre = torch.where(there[..., None], centre, 0.5)
        return {"track": torch.cat([centre, (weight > 0).float().mean(dim=(2, 3))[..., None]], dim=2)}
