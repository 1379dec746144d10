"""I3D, the network behind FVD: features of the RGB network trained on Kinetics-400, from a weights file of yours."""

import hashlib
import json
import math
import os
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SIZE = 224
_STATE, _ARCHIVE = "i3d_pretrained_400.pt", "i3d_torchscript.pt"
_FRAMES_AT_ONCE = 256

# channels of an inception block: 1x1 | 1x1 -> 3x3 | 1x1 -> 3x3 | pool -> 1x1  (arXiv 1705.07750, figure 3)
_BLOCKS = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}

Resize = Literal["torch", "tf1"]
Fit = Literal["squash", "crop"]
Output = Literal["logits", "pool"]


class I3D(nn.Module):
    """Clip -> 400 logits (before the softmax, averaged over time), as every published FVD takes them.

    Takes (B, T, H, W, C) uint8 with T >= 9 and C 1 or 3. The weights are not shipped: put `i3d_pretrained_400.pt`
    (a state dict, run by the network below) or `i3d_torchscript.pt` (StyleGAN-V's archive, which carries its own
    network and preprocessing) into the weights folder. Sources: Carreira & Zisserman, arXiv 1705.07750;
    Unterthiner et al., arXiv 1812.01717.

    Args:
        weights: file name in `weights_dir`, or a path; None takes whichever of the two is there, the state dict
            first.
        weights_dir: folder; None means $VGEN_WEIGHTS, else ~/.cache/vgen/weights.
        eps: of the batch norms, which no file carries: 1e-5 in the PyTorch ports (VideoGPT, DIGAN, TATS, cd-fvd),
            1e-3 in the TensorFlow original. It moves FVD by percents.
        resize: bilinear to 224x224: "torch" with half-pixel centres, "tf1" without (the TensorFlow original).
        fit: of other than square frames: "squash", or "crop" (short side to 224, then the centre).
        output: "logits" (400) or "pool" (1024, what the last layer sees).

    Raises:
        FileNotFoundError: no weights, saying where they are published and where to put them.
        ValueError: a file of another network; an option that an archive fixes; too short clips.
    """

    name = "i3d"
    min_frames = 9  # below, time is shorter than the last pooling window

    def __init__(
        self,
        *,
        weights: str | None = None,
        weights_dir: str | None = None,
        eps: float = 1e-5,
        resize: Resize = "torch",
        fit: Fit = "squash",
        output: Output = "logits",
    ) -> None:
        super().__init__()
        for key, value, choices in (
            ("resize", resize, ("torch", "tf1")),
            ("fit", fit, ("squash", "crop")),
            ("output", output, ("logits", "pool")),
        ):
            if value not in choices:
                raise ValueError(
                    f"{key}={value!r} of the I3D extractor is unknown; choose {' or '.join(choices)}"
                )
        path = find_weights(weights, weights_dir)
        self.resize: Resize = resize
        self.fit: Fit = fit
        self.output: Output = output
        self.dim = 400 if output == "logits" else 1024
        self.is_archive = _is_torchscript(path)
        options = {"resize": resize, "fit": fit, "output": output, "eps": eps}
        if self.is_archive:
            defaults = {"resize": "torch", "fit": "squash", "output": "logits", "eps": 1e-5}
            changed = [f"{key}={options[key]}" for key in options if options[key] != defaults[key]]
            if changed:
                raise ValueError(
                    f"{', '.join(changed)} cannot be applied to {path}: a TorchScript archive fixes its own "
                    f"preprocessing; leave these at their defaults or use {_STATE}"
                )
            options = {"archive": True}
            self.network: nn.Module = _load_archive(path)
        else:
            self.network = Network(eps=eps)
            _load_state(self.network, path)
        self.network.eval()
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        digest.update(json.dumps(options, sort_keys=True).encode())
        self.fingerprint = digest.hexdigest()

    def train(self, mode: bool = True) -> "I3D":
        """Stays in evaluation mode: its batch norms never learn."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        """(B, T, H, W, C) uint8 -> (B, 400 or 1024) float32."""
        frames, channels = pixels.shape[1], pixels.shape[4]
        if frames < self.min_frames:
            raise ValueError(
                f"the I3D extractor needs clips of at least {self.min_frames} frames, got {frames}"
            )
        if channels not in (1, 3):
            raise ValueError(f"the I3D extractor needs 1 or 3 channels, got {channels}")
        device = next((t.device for t in self.network.parameters()), pixels.device)
        parts = pixels.split(max(1, _FRAMES_AT_ONCE // frames))
        return torch.cat([self._features(part.to(device)) for part in parts])

    def _features(self, pixels: Tensor) -> Tensor:
        video = pixels.permute(0, 4, 1, 2, 3).float().expand(-1, 3, -1, -1, -1)  # (B, 3, T, H, W) in 0..255
        if self.is_archive:
            return self.network(video, rescale=True, resize=True, return_features=True)
        clips = len(video)
        frames = fit_frames(video.transpose(1, 2).flatten(0, 1), resize=self.resize, fit=self.fit)
        video = frames.unflatten(0, (clips, -1)).transpose(1, 2).mul(2 / 255).sub(1)
        return self.network(video, logits=self.output == "logits")


def find_weights(weights: str | None, weights_dir: str | None) -> Path:
    """The weights file, or FileNotFoundError saying where to get it and where to put it."""
    folder = Path(weights_dir or os.environ.get("VGEN_WEIGHTS") or "~/.cache/vgen/weights").expanduser()
    # an absolute path replaces the folder
    tried = (
        [folder / Path(weights).expanduser(), Path(weights)]
        if weights
        else [folder / _STATE, folder / _ARCHIVE]
    )
    for path in tried:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"I3D weights not found: put {weights or f'{_STATE} or {_ARCHIVE}'} into {folder} (or set VGEN_WEIGHTS); "
        f"{_STATE} is published with TATS (github.com/songweige/TATS), made from tf-hub "
        f"deepmind/i3d-kinetics-400/1; {_ARCHIVE} at huggingface.co/flateon/FVD-I3D-torchscript"
    )


def fit_frames(frames: Tensor, *, resize: Resize, fit: Fit) -> Tensor:
    """Frames (N, C, H, W) float -> (N, C, 224, 224), bilinear without antialiasing, values not rounded."""
    height, width = frames.shape[-2:]
    if fit == "squash":
        size = (_SIZE, _SIZE)
    else:
        short = min(height, width)
        size = (math.ceil(height * _SIZE / short), math.ceil(width * _SIZE / short))
    if resize == "torch":
        frames = F.interpolate(frames, size, mode="bilinear", align_corners=False)
    else:
        rows, columns = (_tf1_bilinear(n, m).to(frames) for n, m in zip((height, width), size, strict=True))
        frames = rows @ frames @ columns.T
    top, left = ((n - _SIZE) // 2 for n in size)
    return frames[..., top : top + _SIZE, left : left + _SIZE]


def _tf1_bilinear(before: int, after: int) -> Tensor:
    """(after, before) matrix of TensorFlow 1's `resize_bilinear`: output i lies at i * before / after."""
    at = torch.arange(after, dtype=torch.float64) * before / after
    low = at.floor().long()
    high = (low + 1).clamp(max=before - 1)
    share = (at - low)[:, None]
    return (1 - share) * F.one_hot(low, before) + share * F.one_hot(high, before)


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _load_archive(path: Path) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would like the file in another format
        return torch.jit.load(str(path), map_location="cpu")


def _load_state(network: nn.Module, path: Path) -> None:
    advice = f"expected {_STATE}, the 400-class I3D of the PyTorch FVD ports"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError):
        raise ValueError(f"{path} is not a file of weights that torch can read safely; {advice}") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} holds no state dict; {advice}")
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in wanted]
    reshaped = [key for key in state if key in wanted and state[key].shape != wanted[key].shape]
    faults = [
        f"{len(keys)} keys {what} (first: {keys[0]})"
        for what, keys in (("missing", missing), ("unknown", unexpected), ("of another shape", reshaped))
        if keys
    ]
    if faults:
        raise ValueError(f"{path} does not fit: {', '.join(faults)}; {advice}")
    network.load_state_dict(state, strict=False)


class Network(nn.Module):
    """The inflated Inception-v1, with the parameter names of the public PyTorch ports.

    (B, 3, T, 224, 224) in [-1, 1] -> logits (B, 400), or the pooled features (B, 1024), averaged over time.
    """

    def __init__(self, *, eps: float) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, stride=2, eps=eps)
        self.Conv3d_2b_1x1 = Unit(64, 64, 1, eps=eps)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3, eps=eps)
        for name, channels in _BLOCKS.items():
            self.add_module(name, Inception(channels, eps=eps))
        self.logits = Unit(1024, 400, 1, eps=None)

    def forward(self, video: Tensor, logits: bool = True) -> Tensor:
        x = _max_pool(self.Conv3d_1a_7x7(video), (1, 3, 3), (1, 2, 2))
        x = _max_pool(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), (1, 3, 3), (1, 2, 2))
        for name in _BLOCKS:
            if name == "Mixed_4b":
                x = _max_pool(x, (3, 3, 3), (2, 2, 2))
            elif name == "Mixed_5b":
                x = _max_pool(x, (2, 2, 2), (2, 2, 2))
            x = self.get_submodule(name)(x)
        x = F.avg_pool3d(x, (2, 7, 7), stride=1)  # (B, 1024, T', 1, 1)
        if logits:
            x = self.logits(x)
        return x.mean(dim=(2, 3, 4))


class Unit(nn.Module):
    """Convolution with TensorFlow's "SAME" padding; batch norm and ReLU, or (eps None) a bias alone."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, eps: float | None) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride=stride, bias=eps is None)
        self.bn = None if eps is None else nn.BatchNorm3d(outputs, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv3d.kernel_size[0], self.conv3d.stride[0]
        x = self.conv3d(_pad_same(x, (kernel,) * 3, (stride,) * 3))
        return x if self.bn is None else F.relu(self.bn(x))


class Inception(nn.Module):
    """Four branches side by side; `channels` as in `_BLOCKS`, input first."""

    def __init__(self, channels: tuple[int, ...], *, eps: float) -> None:
        super().__init__()
        inputs, plain, narrow, wide, narrow2, wide2, pooled = channels
        self.b0 = Unit(inputs, plain, 1, eps=eps)
        self.b1a = Unit(inputs, narrow, 1, eps=eps)
        self.b1b = Unit(narrow, wide, 3, eps=eps)
        self.b2a = Unit(inputs, narrow2, 1, eps=eps)
        self.b2b = Unit(narrow2, wide2, 3, eps=eps)
        self.b3b = Unit(inputs, pooled, 1, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        pooled = _max_pool(x, (3, 3, 3), (1, 1, 1))
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)]
        return torch.cat(branches, dim=1)


def _max_pool(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    # zeros pad as well as minus infinity: every input comes out of a ReLU
    return F.max_pool3d(_pad_same(x, kernel, stride), kernel, stride)


def _pad_same(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Pad (B, C, T, H, W) as TensorFlow's "SAME": the output is ceil(size / stride), the odd cell goes behind."""
    padding: list[int] = []
    for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        total = max(0, (math.ceil(size / s) - 1) * s + k - size)
        padding += [total // 2, total - total // 2]
    return F.pad(x, padding) if any(padding) else x
