"""The mean colour of every frame: what average content distance (ACD) is about."""

from torch import Tensor

from vgen.extractor.frames import check_pixels, fingerprint

_VERSION = "color 1"  # part of the fingerprint: change it with anything that changes a feature


class Color:
    """Clip -> "color" (B, T, 3): mean red, green and blue of each frame, in grey levels 0 to 255.

    Takes (B, T, H, W, C) uint8 with C 1 (its value stands three times) or 3. The mean is over the whole frame:
    MoCoGAN's is over the generated shape, which nobody can tell from the background in general. Source: Tulyakov et
    al., MoCoGAN (arXiv 1707.04993), section 4.
    """

    name = "color"
    roles = ("color",)
    min_frames = 1
    fingerprint = fingerprint(_VERSION)

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        check_pixels(pixels, self.name, frames=self.min_frames)
        return {"color": pixels.float().mean(dim=(2, 3)).expand(-1, -1, 3).contiguous()}
