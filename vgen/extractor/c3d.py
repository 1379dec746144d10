"""C3D fine-tuned on UCF-101, the classifier of the video inception score."""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.extractor.frames import check_pixels, fingerprint, fit_frames, in_parts, rgb_frames
from vgen.extractor.weights import Source, find, find_or_fetch, load_into

_FRAMES, _SIZE, _CORNER = 16, 112, 8
_MEAN_SHAPE = (3, _FRAMES, 128, 171)
# Addresses from the README of TGANv2 and the code of StyleGAN-V. No hash of either file is stated anywhere, and they
# could not be fetched where this was written.
_RELEASE = "https://github.com/rezoo/tgan2/releases/download/v1.0/"
_ARRAYS = Source("conv3d_deepnetA_ucf.npz", (_RELEASE + "conv3d_deepnetA_ucf.npz",))
_MEAN = Source("mean2.npz", (_RELEASE + "mean2.npz",))
_ARCHIVE = Source("c3d_ucf101.pt", ("https://www.dropbox.com/s/jxpu7avzdc9n97q/c3d_ucf101.pt?dl=1",))
_CONVOLUTIONS = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
_LAYERS = (*_CONVOLUTIONS, "fc6", "fc7", "fc8")
_EXPECTED = f"{_ARRAYS.file}, TGANv2's C3D"


class C3D(nn.Module):
    """Clip -> "logits" (B, 101) over the classes of UCF-101, and "clip" (B, 4096), the rectified fc7.

    Takes (B, 16, H, W, C) uint8, C 1 or 3. Preprocessing is TGANv2's: RGB to BGR, 112x112 (bilinear, corners
    aligned, as Chainer does), 128 x + 128 - mean for x in [-1, 1), which is the byte itself minus the mean clip of
    the training data, cut at [8:120, 8:120]. The mean is a file of its own and belongs to the weights. Sources: Tran
    et al., arXiv 1412.0767; Saito et al., TGANv2, arXiv 1811.09245 (pfnet-research/tgan2, tgan2/models/c3d).

    StyleGAN-V's `c3d_ucf101.pt` also runs: a TorchScript archive that takes bytes and gives probabilities, whose
    logarithms are "logits" up to a constant; it has no "clip". What it does to bytes inside could not be checked
    here.

    Args:
        weights: file name in `weights_dir`, or a path: Chainer's arrays (.npz) or the archive; None takes whichever
            of the published two is there, the arrays first, and fetches the arrays if neither is.
        weights_dir: folder; None means $VGEN_WEIGHTS, else ~/.cache/vgen/weights.
        download: fetch missing weights.

    Raises:
        FileNotFoundError: no weights, saying where they are published and where to put them.
        ValueError: a file of another network; clips of other than 16 frames.
    """

    name = "c3d"
    roles: tuple[str, ...] = ("clip", "logits")
    min_frames = _FRAMES

    mean: Tensor

    def __init__(
        self, *, weights: str | None = None, weights_dir: str | None = None, download: bool = True
    ) -> None:
        super().__init__()
        file = find(weights, (_ARRAYS, _ARCHIVE), weights_dir, download=download)
        self.weights: dict[str, Any] = file.info()
        self.is_archive = file.path.suffix != ".npz"
        if self.is_archive:
            self.roles = ("logits",)
            self.network: nn.Module = _archive(file.path)
            self.fingerprint = fingerprint("c3d", file.sha256)
        else:
            arrays = _read(file.path)
            self.network = _network(arrays, file.path)
            mean = find_or_fetch(_MEAN, weights_dir, download=download)
            self.weights["mean"] = mean.info()
            self.register_buffer("mean", _mean(mean.path))
            self.fingerprint = fingerprint("c3d", file.sha256, mean.sha256)
        for parameter in self.network.eval().parameters():
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> "C3D":
        """Stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, 16, H, W, C) uint8 -> "clip" (B, 4096) and "logits" (B, 101)."""
        check_pixels(pixels, "C3D", frames=_FRAMES)
        if pixels.shape[1] != _FRAMES:
            raise ValueError(
                f"the C3D extractor needs clips of exactly {_FRAMES} frames, got {pixels.shape[1]}"
            )
        device = next((t.device for t in self.network.parameters()), pixels.device)
        return in_parts(pixels, device, self._by_archive if self.is_archive else self._by_network)

    def _by_network(self, pixels: Tensor) -> dict[str, Tensor]:
        frames = fit_frames(rgb_frames(pixels).flip(1), _SIZE, kernel="corners")  # BGR
        video = frames.unflatten(0, (len(pixels), -1)).transpose(1, 2) - self.mean  # (B, 3, 16, 112, 112)
        hidden, logits = self.network(video)
        return {"clip": hidden, "logits": logits}

    def _by_archive(self, pixels: Tensor) -> dict[str, Tensor]:
        video = pixels.permute(0, 4, 1, 2, 3).expand(-1, 3, -1, -1, -1).contiguous()
        chances = self.network(video).float()
        if not torch.allclose(chances.sum(dim=1), chances.new_ones(len(chances)), atol=1e-3):
            raise ValueError("the C3D archive gives no probabilities; expected StyleGAN-V's c3d_ucf101.pt")
        return {"logits": chances.clamp_min(1e-20).log()}


class Network(nn.Module):
    """(B, 3, 16, 112, 112) -> rectified fc7 (B, 4096) and logits (B, 101), with Chainer's pooling.

    `widths` are the output channels of the layers in `_LAYERS`.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        inputs = 3
        for name, outputs in zip(_LAYERS, widths, strict=True):
            if name in _CONVOLUTIONS:
                self.add_module(name, nn.Conv3d(inputs, outputs, 3, padding=1))
                inputs = outputs
            else:
                # what five poolings leave of 16x112x112 is 1x4x4
                inputs = inputs * 16 if name == "fc6" else inputs
                self.add_module(name, nn.Linear(inputs, outputs))
                inputs = outputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for name in _CONVOLUTIONS:
            x = F.relu(self.get_submodule(name)(x))
            if name == "conv1a":
                x = F.max_pool3d(x, (1, 2, 2))
            elif name in ("conv2a", "conv3b", "conv4b", "conv5b"):
                x = F.max_pool3d(x, 2, ceil_mode=True)  # 7 -> 4, the last window hanging over
        x = F.relu(self.get_submodule("fc6")(x.flatten(1)))
        hidden = F.relu(self.get_submodule("fc7")(x))
        return hidden, self.get_submodule("fc8")(hidden)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name.lstrip("/"): arrays[name] for name in arrays.files}
    except (ValueError, OSError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile):
        raise ValueError(f"{path} is not a file of plain arrays; expected {_EXPECTED}") from None


def _network(arrays: Mapping[str, np.ndarray], path: Path) -> Network:
    # the converter may have kept its preprocessing, which is done here
    arrays = {name: array for name, array in arrays.items() if name.split("/")[0] not in ("pre", "mean")}
    kinds = {"W": "weight", "b": "bias"}
    state = {}
    for name, array in arrays.items():
        layer, _, kind = name.partition("/")
        state[f"{layer}.{kinds.get(kind, kind)}"] = torch.from_numpy(array)
    if any(f"{layer}.weight" not in state for layer in _LAYERS):
        missing = next(layer for layer in _LAYERS if f"{layer}.weight" not in state)
        raise ValueError(f"{path} does not fit: {missing}/W is missing; expected {_EXPECTED}")
    with torch.device("meta"):  # no time for initial values that are overwritten at once
        network = Network(tuple(len(state[f"{layer}.weight"]) for layer in _LAYERS))
    network.to_empty(device="cpu")
    load_into(network, state, path, expected=_EXPECTED)
    return network


def _mean(path: Path) -> Tensor:
    """(3, 16, 112, 112) in the order BGR."""
    mean = _read(path).get("mean")
    if mean is None or mean.size != np.prod(_MEAN_SHAPE):
        raise ValueError(f"{path} has no array mean of shape {_MEAN_SHAPE}; expected TGANv2's {_MEAN.file}")
    cut = slice(_CORNER, _CORNER + _SIZE)
    return torch.from_numpy(mean.reshape(_MEAN_SHAPE)[:, :, cut, cut].astype(np.float32))


def _archive(path: Path) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would like the file in another format
        try:
            return torch.jit.load(str(path), map_location="cpu")
        except (RuntimeError, ValueError):
            raise ValueError(
                f"{path} is no TorchScript archive; expected {_ARCHIVE.file} or {_EXPECTED}"
            ) from None
