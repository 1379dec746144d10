"""DINOv2, self-supervised image features, frame by frame."""

from typing import Any

import torch
from torch import Tensor, nn

from vgen.extractor.frames import (
    Fit,
    check_choice,
    check_pixels,
    fingerprint,
    fit_frames,
    in_parts,
    rgb_frames,
    standardized,
)
from vgen.extractor.hub import find_model, load_model
from vgen.extractor.optional import need


class DINOv2(nn.Module):
    """Clip -> "frames" (B, T, D): the class token of every frame after the last normalisation; D is 384 for -small.

    Takes (B, T, H, W, C) uint8, C 1 or 3. Frames are brought to `size` by bicubic interpolation with antialiasing and
    standardised by ImageNet's mean and deviation (Meta's own evaluation scales the short side to 256 and cuts out
    224). Source: Oquab et al., arXiv 2304.07193.

    Args:
        model: name on huggingface.co, or a folder as `transformers` saves it.
        weights_dir: folder; None means $VGEN_WEIGHTS, else ~/.cache/vgen/weights. A named model lies in a folder of
            its name.
        download: fetch missing weights. No hash is stated for them, so the one found is only recorded.
        size: of the frames in pixels, a multiple of the patches' 14.
        fit: of other than square frames: "squash", or "crop" (short side to `size`, then the centre).

    Raises:
        FileNotFoundError: no weights, saying where they are published and where to put them.
        ValueError: `transformers` is missing; a model of another kind.
    """

    name = "dinov2"
    roles = ("frames",)
    min_frames = 1

    def __init__(
        self,
        *,
        model: str = "facebook/dinov2-small",
        weights_dir: str | None = None,
        download: bool = True,
        size: int = 224,
        fit: Fit = "squash",
    ) -> None:
        super().__init__()
        check_choice("DINOv2", "fit", fit, ("squash", "crop"))
        transformers = need("transformers", extractor=self.name, extra="transformers")
        file = find_model(model, weights_dir, download=download)
        # the token that stands for masked patches, which only training needs
        self.network: Any = load_model(transformers.Dinov2Model, file, unread=("mask_token",))
        patch = self.network.config.patch_size
        if size < patch or size % patch:
            raise ValueError(
                f"size={size} of the DINOv2 extractor: expected a multiple of its patches' {patch} pixels"
            )
        self.size = size
        self.fit: Fit = fit
        self.weights: dict[str, Any] = file.info() | {"model": model}
        self.fingerprint = fingerprint("dinov2", file.sha256, size=size, fit=fit)

    def train(self, mode: bool = True) -> "DINOv2":
        """Stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> "frames" (B, T, D)."""
        check_pixels(pixels, "DINOv2", frames=self.min_frames)
        return in_parts(pixels, self.network.device, self._features)

    def _features(self, pixels: Tensor) -> dict[str, Tensor]:
        frames = standardized(fit_frames(rgb_frames(pixels), self.size, kernel="bicubic", fit=self.fit))
        tokens = self.network(pixel_values=frames).pooler_output  # (B T, D)
        return {"frames": tokens.unflatten(0, pixels.shape[:2])}
