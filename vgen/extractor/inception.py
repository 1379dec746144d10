"""InceptionV3 of the image metrics, frame by frame, through torch-fidelity."""

from typing import Any

import torch
from torch import Tensor, nn

from vgen.extractor.frames import check_pixels, fingerprint, in_parts
from vgen.extractor.optional import need
from vgen.extractor.weights import Source, find, load_tensors

# The first digits of the hash are in the name; the whole is stated alike in several public repositories.
_WEIGHTS = Source(
    "weights-inception-2015-12-05-6726825d.pth",
    (
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    ),
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)


class InceptionV3(nn.Module):
    """Clip -> "frames" (B, T, 2048), the last pooling, and "frame_logits" (B, T, 1008), without the bias.

    These are the layers of FID, KID and the inception score. Takes (B, T, H, W, C) uint8, C 1 or 3. The network of
    2015-12-05 with TensorFlow's resize to 299x299 is torch-fidelity's, which needs a torchvision that fits torch; where
    that is broken, `import torchmetrics` breaks with it. Sources: Szegedy et al., arXiv 1512.00567; Obukhov et al.,
    torch-fidelity, doi 10.5281/zenodo.4957738.

    Args:
        weights: file name in `weights_dir`, or a path; None is the published file.
        weights_dir: folder; None means $VGEN_WEIGHTS, else ~/.cache/vgen/weights.
        download: fetch missing weights.

    Raises:
        FileNotFoundError: no weights, saying where they are published and where to put them.
        ValueError: torch-fidelity is missing or broken; a file of another network.
    """

    name = "inception"
    roles = ("frames", "frame_logits")
    min_frames = 1

    def __init__(
        self, *, weights: str | None = None, weights_dir: str | None = None, download: bool = True
    ) -> None:
        super().__init__()
        module = need("torch_fidelity.feature_extractor_inceptionv3", extractor=self.name, extra="fidelity")
        file = find(weights, (_WEIGHTS,), weights_dir, download=download)
        expected = f"{_WEIGHTS.file}, the InceptionV3 of FID"
        # torch-fidelity unpickles whatever it is given: only what loads without that goes on to it
        load_tensors(file.path, expected=expected)
        try:
            self.network: nn.Module = module.FeatureExtractorInceptionV3(
                "inception-v3-compat",
                ["2048", "logits_unbiased"],
                feature_extractor_weights_path=str(file.path),
            )
        except RuntimeError as error:
            raise ValueError(
                f"{file.path} does not fit: {str(error).splitlines()[0]} expected {expected}"
            ) from None
        self.weights: dict[str, Any] = file.info()
        self.fingerprint = fingerprint("inception", file.sha256)

    def train(self, mode: bool = True) -> "InceptionV3":
        """Stays in evaluation mode: its batch norms never learn."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> "frames" (B, T, 2048) and "frame_logits" (B, T, 1008)."""
        check_pixels(pixels, "Inception", frames=self.min_frames)
        device = next((t.device for t in self.network.parameters()), pixels.device)
        return in_parts(pixels, device, self._features)

    def _features(self, pixels: Tensor) -> dict[str, Tensor]:
        images = pixels.flatten(0, 1).permute(0, 3, 1, 2).expand(-1, 3, -1, -1).contiguous()  # (B T, 3, H, W)
        found = zip(self.roles, self.network(images), strict=True)
        return {role: values.unflatten(0, pixels.shape[:2]) for role, values in found}
