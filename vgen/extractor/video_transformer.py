"""Video transformers published in the layout of timm, run by the VideoMAE of `transformers`.

VideoMAE (v1, v2) and V-JEPA (v1) are one architecture: tubes of pixels, added positions, blocks normalised before
attention and MLP. They differ in positions and in what comes after the blocks.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.extractor.weights import load_into

_NAMES = {
    "norm1": "layernorm_before",
    "attn.proj": "attention.output.dense",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


class VideoTransformer(nn.Module):
    """(B, 3, T, S, S), T even -> tokens (B, T/2 (S/p)^2, D) after the blocks.

    Args:
        network: a VideoMAEModel of `transformers`.
        positions: (1, tubes, D), added to the tubes of `frames` frames; for another T they are interpolated linearly
            over time.
    """

    positions: Tensor

    def __init__(self, network: Any, positions: Tensor, *, frames: int) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.size = int(network.config.image_size)
        self.width = int(network.config.hidden_size)
        self.tube = int(network.config.tubelet_size)
        self.frames = frames
        self.register_buffer("positions", positions.float(), persistent=False)

    def forward(self, video: Tensor) -> Tensor:
        self.network.embeddings.position_embeddings = self._positions(video.shape[2])
        return self.network(video.transpose(1, 2)).last_hidden_state

    def _positions(self, frames: int) -> Tensor:
        if frames == self.frames:
            return self.positions
        steps = self.frames // self.tube
        over_time = self.positions.reshape(steps, -1).T[None]  # (1, places D, steps)
        resized = F.interpolate(over_time, frames // self.tube, mode="linear", align_corners=False)
        return resized[0].T.reshape(1, -1, self.width)


def from_published(
    transformers: ModuleType, state: Mapping[str, Any], path: Path, *, heads: int, frames: int, expected: str
) -> VideoTransformer:
    """The network of a state dict in timm's layout; `heads` and `frames` cannot be seen in it.

    Raises:
        ValueError: a state dict of another architecture; `expected` says what would have been one.
    """
    patches, hidden = state.get("patch_embed.proj.weight"), state.get("blocks.0.mlp.fc1.weight")
    if patches is None or hidden is None:
        raise ValueError(
            f"{path} holds no video transformer: patch_embed or blocks.0 is missing; expected {expected}"
        )
    width, _, tube, patch, _ = patches.shape
    blocks = 1 + max(int(found[1]) for key in state if (found := re.match(r"blocks\.(\d+)\.", key)))
    ends_normalised = "norm.weight" in state
    config = transformers.VideoMAEConfig(
        patch_size=patch,
        num_frames=frames,
        tubelet_size=tube,
        hidden_size=width,
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        intermediate_size=len(hidden),
        layer_norm_eps=1e-6,
        use_mean_pooling=not ends_normalised,
    )
    with torch.device("meta"):  # no time for initial values that are overwritten at once
        network = transformers.VideoMAEModel(config)
    network.to_empty(device="cpu")
    load_into(network, _renamed(state), path, expected=expected)
    places = (config.image_size // patch) ** 2 * (frames // tube)
    positions = state.get("pos_embed")
    if positions is None:
        positions = sinusoids(places, width)
    elif positions.shape != (1, places, width):
        raise ValueError(
            f"{path}: pos_embed is {tuple(positions.shape)}, not {(1, places, width)}; expected {expected}"
        )
    return VideoTransformer(network, positions, frames=frames)


def sinusoids(places: int, width: int) -> Tensor:
    """(1, places, width): sine and cosine of place / 10000^(2 floor(i/2) / width) at even and odd i."""
    rate = np.power(10000.0, -2 * (np.arange(width) // 2) / width)
    angle = np.arange(places)[:, None] * rate
    angle[:, 0::2], angle[:, 1::2] = np.sin(angle[:, 0::2]), np.cos(angle[:, 1::2])
    return torch.from_numpy(angle).float()[None]


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The blocks under their names in transformers; what is outside of them and the last norm is left out."""
    renamed = {}
    for key, value in state.items():
        place, _, kind = key.rpartition(".")
        if place == "patch_embed.proj":
            renamed[f"embeddings.patch_embeddings.projection.{kind}"] = value
        elif place == "norm":
            renamed[f"layernorm.{kind}"] = value
        elif found := re.fullmatch(r"blocks\.(\d+)\.(.+)", place):
            layer, inner = f"encoder.layer.{found[1]}", found[2]
            if inner in _NAMES:
                renamed[f"{layer}.{_NAMES[inner]}.{kind}"] = value
            else:
                renamed |= _attention(f"{layer}.attention.attention", inner, kind, value)
    return renamed


def _attention(prefix: str, inner: str, kind: str, value: Tensor) -> dict[str, Tensor]:
    if inner == "attn" and kind in ("q_bias", "v_bias"):
        return {f"{prefix}.{'query' if kind == 'q_bias' else 'value'}.bias": value}
    if inner != "attn.qkv":
        return {f"{prefix}.{inner}.{kind}": value}  # unknown, and load_into will say so
    query, key, value = value.chunk(3)
    found = {f"{prefix}.query.{kind}": query, f"{prefix}.value.{kind}": value}
    if kind == "weight":
        # a bias of the keys adds the same to all scores of a query, which the softmax takes out again
        found[f"{prefix}.key.weight"] = key
    return found
