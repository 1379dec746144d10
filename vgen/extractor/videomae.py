"""VideoMAE, the features of the content-debiased FVD."""

from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.extractor.frames import check_pixels, fingerprint, fit_frames, in_parts, rgb_frames, standardized
from vgen.extractor.hub import find_model, load_model
from vgen.extractor.optional import need
from vgen.extractor.video_transformer import VideoTransformer, from_published, sinusoids
from vgen.extractor.weights import Source, Weights, find, load_tensors

_FRAMES = 16
# The first address is cd-fvd's own. The hash is stated alike in three public repositories; neither address could be
# tried where this was written.
_GIANT = Source(
    "vit_g_hybrid_pt_1200e_ssv2_ft.pth",
    (
        "https://pjlab-gvm-data.oss-cn-shanghai.aliyuncs.com/internvideo/videomaev2/vit_g_hybrid_pt_1200e_ssv2_ft.pth",
        "https://huggingface.co/OpenGVLab/VideoMAE2/resolve/"
        "97d119d270aca7a1217fff7f413c0c543eb325d9/mae-g/vit_g_hybrid_pt_1200e_ssv2_ft.pth",
    ),
    "5a210a92f035dff30c53b46157b612e7a1a5d3c99700e1b2d71da5c399ca7e70",
)


class VideoMAE(nn.Module):
    """Clip -> "clip" (B, D): the normalised mean of all tokens; D is 1408 for the published giant.

    Takes (B, T, H, W, C) uint8, T even, C 1 or 3; trained on 16 frames, positions are interpolated over time for
    other T. By default it is cd-fvd's: VideoMAE V2 ViT-giant fine-tuned on Something-Something V2, frames squashed to
    224 (bilinear, half-pixel centres) and divided by 255, not standardised. 2 GB of weights, 4 GB of memory.
    Sources: Ge et al., arXiv 2404.12391; Wang et al., arXiv 2303.16727.

    Args:
        weights: None for the published giant; a file of the same layout, or a `transformers` VideoMAE: its folder, or
            its name on huggingface.co.
        weights_dir: folder; None means $VGEN_WEIGHTS, else ~/.cache/vgen/weights.
        download: fetch missing weights.
        normalize: standardise by ImageNet's mean and deviation, as all uses of the network but cd-fvd do.
        heads: of the attention, which a file does not tell; 16 in the giant. A `transformers` model knows its own.

    Raises:
        FileNotFoundError: no weights, saying where they are published and where to put them.
        ValueError: `transformers` is missing; a file of another network; an odd number of frames.
    """

    name = "videomae"
    roles = ("clip",)
    min_frames = 2

    def __init__(
        self,
        *,
        weights: str | None = None,
        weights_dir: str | None = None,
        download: bool = True,
        normalize: bool = False,
        heads: int = 16,
    ) -> None:
        super().__init__()
        transformers = need("transformers", extractor=self.name, extra="transformers")
        from_hub = weights is not None and not weights.endswith((".pth", ".pt"))
        if from_hub:
            file = find_model(str(weights), weights_dir, download=download)
            self.network, last = _from_hub(transformers, file)
        else:
            file = find(weights, (_GIANT,), weights_dir, download=download)
            self.network, last = _from_file(transformers, file.path, heads)
        self.last_norm = last
        self.normalize = normalize
        self.weights: dict[str, Any] = file.info()
        self.fingerprint = fingerprint(
            "videomae", file.sha256, normalize=normalize, heads=None if from_hub else heads
        )
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "VideoMAE":
        """Stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> "clip" (B, D)."""
        check_pixels(pixels, "VideoMAE", frames=self.min_frames, every=self.network.tube)
        return in_parts(pixels, self.network.positions.device, self._features)

    def _features(self, pixels: Tensor) -> dict[str, Tensor]:
        frames = fit_frames(rgb_frames(pixels), self.network.size)
        frames = standardized(frames) if self.normalize else frames / 255
        tokens = self.network(frames.unflatten(0, (len(pixels), -1)).transpose(1, 2))
        return {"clip": self.last_norm(tokens.mean(dim=1))}


def _from_file(transformers: ModuleType, path: Path, heads: int) -> tuple[VideoTransformer, nn.Module]:
    expected = f"{_GIANT.file}, the VideoMAE V2 of cd-fvd"
    state = load_tensors(path, expected=expected)
    state = next((state[key] for key in ("model", "module") if isinstance(state.get(key), dict)), state)
    network = from_published(transformers, state, path, heads=heads, frames=_FRAMES, expected=expected)
    return network, _last_norm(state, network.width, eps=1e-6)


def _from_hub(transformers: ModuleType, file: Weights) -> tuple[VideoTransformer, nn.Module]:
    model: Any = load_model(transformers.VideoMAEModel, file)
    state = load_tensors(file.path, expected="a VideoMAE of transformers")
    config = model.config
    places = (config.image_size // config.patch_size) ** 2 * (config.num_frames // config.tubelet_size)
    network = VideoTransformer(model, sinusoids(places, config.hidden_size), frames=config.num_frames)
    # of the classifier in transformers, which keeps torch's epsilon
    return network, _last_norm(state, network.width, eps=1e-5)


def _last_norm(state: dict[str, Tensor], width: int, *, eps: float) -> nn.Module:
    """What a fine-tuned network does to the mean of the tokens; nothing where it was not fine-tuned."""
    weight, bias = state.get("fc_norm.weight"), state.get("fc_norm.bias")
    if weight is None or bias is None:
        return nn.Identity()
    return _Norm(weight.float(), bias.float(), width, eps)


class _Norm(nn.Module):
    """A layer norm of given weights."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, width: int, eps: float) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.shape, self.eps = (width,), eps

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps)
