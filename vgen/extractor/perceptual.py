"""LPIPS as a place: features of frames whose squared distance is the learned perceptual distance."""

import hashlib
from pathlib import Path

import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, nn

from vgen.extractor.frames import check_pixels, fingerprint, rgb_frames
from vgen.extractor.weights import Source, find, load_into, load_tensors

ALEXNET = Source(
    "alexnet-owt-7be5be79.pth", ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",), None
)
_PREFIX = "7be5be79"  # of the published file's sha256: its name is all that its publishers state
_LINEAR = Path(torchmetrics.__file__).parent / "functional" / "image" / "lpips_models" / "alex.pth"
_RECTIFIED = (1, 4, 7, 9, 11)  # layers whose output is compared
_VERSION = (
    "perceptual 1"  # part of the fingerprint: change it with anything in the code that changes a feature
)


class Perceptual(nn.Module):
    """Clip -> "perceptual" (B, F, D), one vector per chosen frame; |x - y|^2 of two frames is their LPIPS distance.

    LPIPS v0.1 with AlexNet: frames in [-1, 1] are shifted and scaled, the rectified outputs of the five convolutions
    made to unit length over their channels, squared differences weighted by channel, averaged over positions and
    summed over layers. Square roots of weight over positions on the features leave a plain squared distance, so each
    frame passes once, whatever the number of pairs. D = 31872 at size 64.

    Takes (B, T, H, W, C) uint8 with C 1 or 3, T at least `frames`; other sizes are squashed to `size` (bilinear,
    antialiased). LPIPS was fitted on 64-pixel patches. Source: Zhang et al. (arXiv 1801.03924); linear weights from
    torchmetrics, AlexNet from torchvision's file.

    Args:
        weights: file name or path of AlexNet in torchvision's layout; None: torchvision's own file.
        weights_dir: folder to look in; None: $VGEN_WEIGHTS, else ~/.cache/vgen/weights.
        download: fetch torchvision's file if it is missing.
        size: working size in pixels, 32 or more.
        frames: how many frames of each clip, at the middles of as many equal parts; 1 is the frame in the middle.

    Raises:
        FileNotFoundError: no weights.
        ValueError: weights of another network, sizes and frames that cannot be.
    """

    name = "perceptual"
    roles = ("perceptual",)

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        *,
        weights: str | None = None,
        weights_dir: str | None = None,
        download: bool = True,
        size: int = 64,
        frames: int = 1,
    ) -> None:
        super().__init__()
        if size < 32:
            raise ValueError(f"extractor.perceptual.size={size}: expected 32 or more")
        if frames < 1:
            raise ValueError(f"extractor.perceptual.frames={frames}: expected 1 or more")
        self.size, self.frames, self.min_frames = size, frames, frames
        found = find(weights, (ALEXNET,), weights_dir, download=download)
        if weights is None and not found.sha256.startswith(_PREFIX):
            raise ValueError(
                f"{found.path} is not the published file: sha256 {found.sha256[:8]}..., expected {_PREFIX}...; "
                "remove it, or name it with extractor.perceptual.weights"
            )
        self.features = alexnet_features()
        expected = f"AlexNet as torchvision has it ({ALEXNET.file})"
        state = load_tensors(found.path, expected=expected)
        trunk = {key: value for key, value in state.items() if key.startswith("features.")}
        load_into(
            self.features,
            {k.removeprefix("features."): v for k, v in trunk.items()},
            found.path,
            expected=expected,
        )
        linear = torch.load(_LINEAR, map_location="cpu", weights_only=True)
        for layer in range(len(_RECTIFIED)):
            # never negative, by LPIPS's own constraint
            self.register_buffer(f"linear{layer}", linear[f"lin{layer}.model.1.weight"].clamp(min=0).sqrt())
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[:, None, None])
        self.requires_grad_(False)
        self.weights = found.info()
        self.fingerprint = fingerprint(_VERSION, found.sha256, _digest(_LINEAR), size=size, frames=frames)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        check_pixels(pixels, self.name, frames=self.min_frames)
        clips, length = pixels.shape[:2]
        chosen = [(2 * part + 1) * length // (2 * self.frames) for part in range(self.frames)]
        video = rgb_frames(pixels[:, chosen].to(self.shift.device)).div(127.5).sub(1)  # (B F, 3, H, W)
        if video.shape[-2:] != (self.size, self.size):
            video = F.interpolate(
                video, (self.size, self.size), mode="bilinear", align_corners=False, antialias=True
            )
        return {"perceptual": self.embed(video).unflatten(0, (clips, self.frames))}

    def embed(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) float in [-1, 1] -> (N, D)."""
        x = (frames - self.shift) / self.scale
        embedded = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in _RECTIFIED:
                # epsilon inside the root, as torchmetrics has it
                unit = x / (x.square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
                positions = x.shape[2] * x.shape[3]
                linear = getattr(self, f"linear{len(embedded)}")
                embedded.append((unit * linear / positions**0.5).flatten(1))
        return torch.cat(embedded, dim=1)


def alexnet_features() -> nn.Sequential:
    """The convolutions of AlexNet (Krizhevsky, arXiv 1404.5997) under torchvision's numbers, untrained."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
