"""I3D, the network behind FVD: features of the RGB network trained on Kinetics-400."""

import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vgen.extractor.frames import (
    Fit,
    Kernel,
    check_choice,
    check_pixels,
    fingerprint,
    fit_frames,
    in_parts,
    rgb_frames,
)
from vgen.extractor.i3d_network import Network
from vgen.extractor.weights import Source, find, load_into, load_tensors

Order = Literal["resize_first", "scale_first"]
Output = Literal["logits", "pool"]
Compile = Literal["auto"] | bool

_SIZE = 224
# Nobody states a hash of the state dict; that of the archive is stated alike in several public repositories. Neither
# could be fetched where this was written.
_STATE = Source(
    "i3d_pretrained_400.pt",
    (
        "https://huggingface.co/spaces/LanguageBind/Open-Sora-Plan-v1.0.0/resolve/"
        "810fa8c4bdb3a4c8eec9bd57375c29bde6fb46de/opensora/eval/fvd/videogpt/i3d_pretrained_400.pt",
        "https://github.com/bytedance/pv3d/releases/download/v1.0.0/i3d_pretrained_400.pt",
    ),
)
_ARCHIVE = Source(
    "i3d_torchscript.pt",
    (
        "https://huggingface.co/flateon/FVD-I3D-torchscript/resolve/"
        "1c2d61711c52571ad617a1063e6fa691b212e184/i3d_torchscript.pt",
        "https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",
    ),
    "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
)
_EXPECTED = f"{_STATE.file}, the 400-class I3D of the PyTorch FVD ports"
# In CPU seconds measured on a busy machine: 50 of compiling, and then 0.12 less for each clip of 16 frames (0.80
# instead of 0.92), which pays from about 400 clips a side on.
_WORTH_COMPILING = 1000


class I3D(nn.Module):
    """Clip -> Kinetics features, as every published FVD takes them.

    Takes (B, T, H, W, C) uint8 with T >= 9 and C 1 or 3. Gives "logits" (B, 400), before the softmax and averaged
    over time, and "clip": the same logits, or the 1024 pooled features before them. The weights are not shipped:
    either `i3d_pretrained_400.pt`, a state dict that the network here runs, or `i3d_torchscript.pt`, StyleGAN-V's
    archive, which carries its own network. Sources: Carreira & Zisserman, arXiv 1705.07750; Unterthiner et al.,
    arXiv 1812.01717.

    The archive runs as it is: its batch norms have the eps that was compiled in (kept in `weights` as far as it can
    be read, with a warning where it is not `eps`), and with kernel=torch and fit=squash it also resizes and scales by
    itself, as StyleGAN-V calls it. Other kernels and fits are applied here, before it.

    Clips pass two at a time (on a GPU eight), the last ones filled up, so that features depend neither on the batch
    nor on its other clips. Batch norms are folded into the convolutions, which moves logits by about 1e-5.

    Args:
        weights: file name in `weights_dir`, or a path; None takes whichever of the two is there, the state dict
            first, and fetches the state dict if neither is.
        weights_dir: folder; None means $VGEN_WEIGHTS, else ~/.cache/vgen/weights.
        download: fetch missing weights.
        eps: of the batch norms, which no state dict carries: 1e-5 in the PyTorch ports (VideoGPT, DIGAN, TATS,
            cd-fvd), 1e-3 in the TensorFlow original. It moves FVD by percents.
        kernel: bilinear to 224x224: "torch" with half-pixel centres, "tf1" without (the TensorFlow original).
        fit: of other than square frames: "squash", or "crop" (short side to 224, then the centre).
        order: "resize_first" and then 2x/255 - 1, or "scale_first"; equal up to rounding (3e-5).
        output: what "clip" is: "logits" (400) or "pool" (1024, what the last layer sees).
        compile: torch.compile the network for the CPU; "auto" where there is a C++ compiler and `clips` are 1000 or
            more. It moves logits by about 1e-5.
        clips: how many are to come on each side, what "auto" goes by; None: not known.

    Raises:
        FileNotFoundError: no weights, saying where they are published and where to put them.
        ValueError: a file of another network; an option that an archive fixes; too short clips.
    """

    name = "i3d"
    roles = ("clip", "logits")
    min_frames = 9  # below, time is shorter than the last pooling window

    def __init__(
        self,
        *,
        weights: str | None = None,
        weights_dir: str | None = None,
        download: bool = True,
        eps: float = 1e-5,
        kernel: Kernel = "torch",
        fit: Fit = "squash",
        order: Order = "resize_first",
        output: Output = "logits",
        compile: Compile = "auto",
        clips: int | None = None,
    ) -> None:
        super().__init__()
        check_choice("I3D", "kernel", kernel, ("torch", "tf1"))
        check_choice("I3D", "fit", fit, ("squash", "crop"))
        check_choice("I3D", "order", order, ("resize_first", "scale_first"))
        check_choice("I3D", "output", output, ("logits", "pool"))
        check_choice("I3D", "compile", compile, ("auto", True, False))
        file = find(weights, (_STATE, _ARCHIVE), weights_dir, download=download)
        self.weights: dict[str, Any] = file.info()
        self.kernel: Kernel = kernel
        self.fit: Fit = fit
        self.order: Order = order
        self.output: Output = output
        self.is_archive = _is_torchscript(file.path)
        options: dict[str, Any] = {"kernel": kernel, "fit": fit, "order": order, "output": output}
        if self.is_archive:
            self.network: nn.Module = self._archive(file.path, eps)
            self.prepares_itself = kernel == "torch" and fit == "squash" and order == "resize_first"
            options["archive"] = True
        else:
            self.network = _folded(file.path, eps)
            self.prepares_itself = False
            options["eps"] = eps
        self.compiling: Compile = compile
        self.clips = clips
        self._compiled: nn.Module | None = None
        self.fingerprint = fingerprint("i3d", file.sha256, **options)
        self.stamp = ",".join(
            [
                "archive" if self.is_archive else f"eps{_short(eps)}",
                *(
                    value
                    for value, usual in ((kernel, "torch"), (fit, "squash"), (output, "logits"))
                    if value != usual
                ),
            ]
        )

    def _archive(self, path: Path, eps: float) -> nn.Module:
        if self.output == "pool":
            raise ValueError(
                f"output=pool cannot be had from {path}: the archive gives logits; use {_STATE.file}"
            )
        network = _load_archive(path)
        found = _batch_norm_eps(network)
        if found is not None:
            self.weights["eps"] = found
            if abs(found - eps) > 1e-3 * eps:
                warnings.warn(
                    f"{path} has batch norms with eps={found:g} compiled in; eps={eps:g} does not apply to it",
                    stacklevel=4,
                )
        return network

    def train(self, mode: bool = True) -> "I3D":
        """Stays in evaluation mode: its batch norms never learn."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> "clip" (B, 400 or 1024) and "logits" (B, 400)."""
        check_pixels(pixels, "I3D", frames=self.min_frames)
        device = next((t.device for t in self.network.parameters()), pixels.device)
        network = self._fastest(device)
        return in_parts(pixels, device, lambda clips: self._features(clips, network))

    def _features(self, pixels: Tensor, network: nn.Module) -> dict[str, Tensor]:
        clips = len(pixels)
        if self.prepares_itself:
            video = (
                pixels.permute(0, 4, 1, 2, 3).float().expand(-1, 3, -1, -1, -1)
            )  # (B, 3, T, H, W) in 0..255
            logits = network(video, rescale=True, resize=True, return_features=True)
            return {"clip": logits, "logits": logits}
        frames = rgb_frames(pixels)
        if self.order == "scale_first":
            frames = frames * (2 / 255) - 1
        frames = fit_frames(frames, _SIZE, kernel=self.kernel, fit=self.fit)
        if self.order == "resize_first":
            frames = frames * (2 / 255) - 1
        video = frames.unflatten(0, (clips, -1)).transpose(1, 2)  # (B, 3, T, 224, 224)
        if self.is_archive:
            logits = network(video.contiguous(), rescale=False, resize=False, return_features=True)
            return {"clip": logits, "logits": logits}
        # channels last is twice as fast on a CPU
        layout = torch.channels_last_3d if video.device.type == "cpu" else torch.contiguous_format
        pooled, logits = network(video.contiguous(memory_format=layout))
        return {"clip": logits if self.output == "logits" else pooled, "logits": logits}

    def _fastest(self, device: torch.device) -> nn.Module:
        """The network, compiled where that was asked for or pays."""
        if self.is_archive or device.type != "cpu" or self.compiling is False:
            return self.network
        if self._compiled is None:
            compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
            if self.compiling == "auto" and (compiler is None or (self.clips or 0) < _WORTH_COMPILING):
                self.compiling = False
                return self.network
            if compiler is None:
                raise ValueError(
                    "compile=true of the I3D extractor needs a C++ compiler (g++ or clang++); there is none"
                )
            compiled = torch.compile(self.network, dynamic=False, options={"freezing": True})
            # not a submodule: its parameters are those of `network`
            object.__setattr__(self, "_compiled", compiled)
        assert self._compiled is not None
        return self._compiled


def _short(number: float) -> str:
    """0.001 -> "1e-3"."""
    mantissa, exponent = f"{number:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _folded(path: Path, eps: float) -> Network:
    with torch.device("meta"):  # no time for initial values that are overwritten at once
        network = Network(eps=eps)
    network.to_empty(device="cpu")
    load_into(network, load_tensors(path, expected=_EXPECTED), path, expected=_EXPECTED)
    return network.folded().to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _load_archive(path: Path) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would like the file in another format
        return torch.jit.load(str(path), map_location="cpu").eval()


def _batch_norm_eps(network: nn.Module) -> float | None:
    """The eps that all batch norms of a TorchScript archive share; None where there are none or it cannot be read."""
    graph = getattr(network, "inlined_graph", None)
    found: set[float | None] = set()
    for node in [] if graph is None else graph.findAllNodes("aten::batch_norm", recurse=True):
        found.add(
            list(node.inputs())[7].toIValue()
        )  # input, weight, bias, mean, variance, training, momentum, eps
    return found.pop() if len(found) == 1 else None
