"""V-JEPA, the features of JEDi."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.extractor.frames import check_pixels, fingerprint, fit_frames, in_parts, rgb_frames, standardized
from vgen.extractor.optional import need
from vgen.extractor.video_transformer import from_published
from vgen.extractor.weights import Source, find, load_into, load_tensors

_FRAMES = 16
# Meta's own addresses, which JEDi uses too. No hash is stated, and they could not be tried where this was written.
_ENCODER = Source("vith16.pth.tar", ("https://dl.fbaipublicfiles.com/jepa/vith16/vith16.pth.tar",))
_PROBE = Source("ssv2-probe.pth.tar", ("https://dl.fbaipublicfiles.com/jepa/vith16/ssv2-probe.pth.tar",))
_EXPECTED = f"{_ENCODER.file}, V-JEPA's ViT-H/16"
_EXPECTED_PROBE = f"{_PROBE.file}, its attentive probe of Something-Something V2"


class VJEPA(nn.Module):
    """Clip -> "clip" (B, 1280), as JEDi takes it.

    The network is V-JEPA (the first, of 2024) ViT-H/16, not the V-JEPA 2 that `transformers` calls VJEPA2; its target
    encoder is run by the VideoMAE of `transformers`, which is the same architecture. What follows is the pooler of
    its probe fine-tuned on Something-Something V2, or the mean of the tokens.

    Takes (B, T, H, W, C) uint8, T even, C 1 or 3; trained on 16 frames, positions are interpolated over time for
    other T. Frames are squashed to 224 (bilinear; JEDi expects them to come so) and standardised by ImageNet's mean
    and deviation. The file has 10 GB, of which 2.5 GB are read. Sources: Luo et al., JEDi, arXiv 2410.05203; Bardes et
    al., V-JEPA, arXiv 2404.08471.

    Args:
        weights: file name of the encoder in `weights_dir`, or a path; None is the published file.
        probe: the same for the probe; "none" takes the mean of the tokens.
        weights_dir: folder; None means $VGEN_WEIGHTS, else ~/.cache/vgen/weights.
        download: fetch missing weights.
        heads: of the attention, which a file does not tell; 16 in all published ones.

    Raises:
        FileNotFoundError: no weights, saying where they are published and where to put them.
        ValueError: `transformers` is missing; a file of another network; an odd number of frames.
    """

    name = "vjepa"
    roles = ("clip",)
    min_frames = 2

    def __init__(
        self,
        *,
        weights: str | None = None,
        probe: str | None = None,
        weights_dir: str | None = None,
        download: bool = True,
        heads: int = 16,
    ) -> None:
        super().__init__()
        transformers = need("transformers", extractor=self.name, extra="transformers")
        file = find(weights, (_ENCODER,), weights_dir, download=download)
        state = _encoder_state(file.path)
        self.network = from_published(
            transformers, state, file.path, heads=heads, frames=_FRAMES, expected=_EXPECTED
        )
        self.weights: dict[str, Any] = file.info()
        hashes = [file.sha256]
        self.pooler: Pooler | None = None
        if probe != "none":
            pooler = find(probe, (_PROBE,), weights_dir, download=download)
            self.pooler = Pooler(self.network.width, heads)
            load_into(self.pooler, _pooler_state(pooler.path), pooler.path, expected=_EXPECTED_PROBE)
            self.weights["probe"] = pooler.info()
            hashes.append(pooler.sha256)
        self.fingerprint = fingerprint("vjepa", *hashes, heads=heads)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "VJEPA":
        """Stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> "clip" (B, 1280)."""
        check_pixels(pixels, "V-JEPA", frames=self.min_frames, every=self.network.tube)
        return in_parts(pixels, self.network.positions.device, self._features)

    def _features(self, pixels: Tensor) -> dict[str, Tensor]:
        frames = standardized(fit_frames(rgb_frames(pixels), self.network.size))
        tokens = self.network(frames.unflatten(0, (len(pixels), -1)).transpose(1, 2))
        return {"clip": tokens.mean(dim=1) if self.pooler is None else self.pooler(tokens)}


class Pooler(nn.Module):
    """Tokens (B, N, D) -> (B, D): one learnt query looks at all of them (arXiv 2404.08471, section 4.2).

    Parameter names are those of the published probes.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.query_tokens = nn.Parameter(torch.zeros(1, 1, width))
        self.cross_attention_block = CrossAttentionBlock(width, heads)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.cross_attention_block(self.query_tokens.expand(len(tokens), -1, -1), tokens).squeeze(1)


class CrossAttentionBlock(nn.Module):
    """Cross-attention and MLP with residuals; the query itself is not normalised before the attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.xattn = CrossAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width)

    def forward(self, query: Tensor, tokens: Tensor) -> Tensor:
        query = query + self.xattn(query, self.norm1(tokens))
        return query + self.mlp(self.norm2(query))


class CrossAttention(nn.Module):
    """Queries (B, n, D) attend to tokens (B, N, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, query: Tensor, tokens: Tensor) -> Tensor:
        parts = (self.q(query), *self.kv(tokens).chunk(2, dim=-1))
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts
        )  # (B, heads, ., D / heads)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    """Two layers, four times as wide in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


def _encoder_state(path: Path) -> dict[str, Any]:
    content = load_tensors(path, expected=_EXPECTED)
    state = content.get("target_encoder", content.get("encoder"))
    if not isinstance(state, dict):
        raise ValueError(f"{path} has no target_encoder; expected {_EXPECTED}")
    return {key.replace("module.", "").replace("backbone.", ""): value for key, value in state.items()}


def _pooler_state(path: Path) -> dict[str, Any]:
    state = load_tensors(path, expected=_EXPECTED_PROBE).get("classifier")
    if not isinstance(state, dict):
        raise ValueError(f"{path} has no classifier; expected {_EXPECTED_PROBE}")
    state = {key.replace("module.", ""): value for key, value in state.items()}
    return {key.removeprefix("pooler."): value for key, value in state.items() if key.startswith("pooler.")}
