"""VideoMAE and V-JEPA against the arithmetic of their papers, on tiny networks saved in the published layouts."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

pytest.importorskip("transformers", reason="needs transformers")

from vgen.extractor.video_transformer import sinusoids
from vgen.extractor.videomae import VideoMAE
from vgen.extractor.vjepa import VJEPA

WIDTH, HEADS, BLOCKS, PATCH = 24, 2, 2, 56
PLACES = (224 // PATCH) ** 2
MEAN, STD = (torch.tensor(v)[:, None, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def blocks_state(rng: torch.Generator, *, key_bias: bool) -> dict[str, Tensor]:
    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng) * 0.3

    state = {
        "patch_embed.proj.weight": drawn(WIDTH, 3, 2, PATCH, PATCH) / 50,
        "patch_embed.proj.bias": drawn(WIDTH),
    }
    for i in range(BLOCKS):
        shapes = {
            "norm1.weight": (WIDTH,), "norm1.bias": (WIDTH,), "norm2.weight": (WIDTH,), "norm2.bias": (WIDTH,),
            "attn.qkv.weight": (3 * WIDTH, WIDTH), "attn.proj.weight": (WIDTH, WIDTH), "attn.proj.bias": (WIDTH,),
            "mlp.fc1.weight": (48, WIDTH), "mlp.fc1.bias": (48,),
            "mlp.fc2.weight": (WIDTH, 48), "mlp.fc2.bias": (WIDTH,),
        }  # fmt: skip
        shapes |= (
            {"attn.qkv.bias": (3 * WIDTH,)}
            if key_bias
            else {"attn.q_bias": (WIDTH,), "attn.v_bias": (WIDTH,)}
        )
        state |= {f"blocks.{i}.{name}": drawn(*shape) for name, shape in shapes.items()}
    return state


def norm(state: dict[str, Tensor], name: str, x: Tensor, eps: float = 1e-6) -> Tensor:
    return F.layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], eps)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.mT / math.sqrt(WIDTH / HEADS)
    return (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)


def tokens_of(state: dict[str, Tensor], video: Tensor, positions: Tensor) -> Tensor:
    """What the paper's blocks make of (B, 3, T, 224, 224)."""
    x = F.conv3d(
        video, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=(2, PATCH, PATCH)
    )
    x = x.flatten(2).mT + positions
    for i in range(BLOCKS):
        block = {
            name.removeprefix(f"blocks.{i}."): value
            for name, value in state.items()
            if f"blocks.{i}." in name
        }
        bias = block.get("attn.qkv.bias")
        if bias is None:
            bias = torch.cat([block["attn.q_bias"], torch.zeros(WIDTH), block["attn.v_bias"]])
        qkv = F.linear(norm(block, "norm1", x), block["attn.qkv.weight"], bias).chunk(3, dim=-1)
        x = x + F.linear(attend(*qkv), block["attn.proj.weight"], block["attn.proj.bias"])
        hidden = F.gelu(F.linear(norm(block, "norm2", x), block["mlp.fc1.weight"], block["mlp.fc1.bias"]))
        x = x + F.linear(hidden, block["mlp.fc2.weight"], block["mlp.fc2.bias"])
    return x


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def clips(rng: torch.Generator, frames: int = 16) -> tuple[Tensor, Tensor]:
    """Two clips of the network's size as bytes, and as floats (B, 3, T, H, W) in 0..1."""
    pixels = torch.randint(0, 256, (2, frames, 224, 224, 3), generator=rng, dtype=torch.uint8)
    return pixels, pixels.permute(0, 4, 1, 2, 3).float() / 255


def saved_videomae(folder: Any, rng: torch.Generator) -> dict[str, Tensor]:
    state = blocks_state(rng, key_bias=False)
    state |= {name: torch.randn(WIDTH, generator=rng) for name in ("fc_norm.weight", "fc_norm.bias")}
    state |= {"head.weight": torch.zeros(174, WIDTH), "head.bias": torch.zeros(174)}
    torch.save({"module": state, "epoch": 3}, folder / "vit_g_hybrid_pt_1200e_ssv2_ft.pth")
    return state


def test_videomae_is_the_published_arithmetic(tmp_path, rng):
    state = saved_videomae(tmp_path, rng)
    extractor = VideoMAE(weights_dir=str(tmp_path), download=False, heads=HEADS)
    pixels, video = clips(rng)
    expected = norm(state, "fc_norm", tokens_of(state, video, sinusoids(8 * PLACES, WIDTH)).mean(dim=1))
    found = extractor(pixels)["clip"]
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
    normalized = VideoMAE(weights_dir=str(tmp_path), download=False, heads=HEADS, normalize=True)
    expected = tokens_of(state, (video - MEAN) / STD, sinusoids(8 * PLACES, WIDTH)).mean(dim=1)
    torch.testing.assert_close(
        normalized(pixels)["clip"], norm(state, "fc_norm", expected), atol=2e-5, rtol=1e-4
    )
    assert normalized.fingerprint != extractor.fingerprint
    assert (extractor.weights["published"], not extractor.training) == (False, True)


def test_other_lengths_interpolate_positions_over_time(tmp_path, rng):
    state = saved_videomae(tmp_path, rng)
    extractor = VideoMAE(weights_dir=str(tmp_path), download=False, heads=HEADS)
    table = sinusoids(8 * PLACES, WIDTH).reshape(8, PLACES, WIDTH)
    halved = (table[0::2] + table[1::2]) / 2  # half as many steps lie in the middle of two
    pixels, video = clips(rng, frames=8)
    expected = tokens_of(state, video, halved.reshape(1, -1, WIDTH)).mean(dim=1)
    torch.testing.assert_close(
        extractor(pixels)["clip"], norm(state, "fc_norm", expected), atol=2e-5, rtol=1e-4
    )
    with pytest.raises(ValueError, match="multiple of 2 frames, got 7"):
        extractor(pixels[:, :7])


def test_positions_are_sines_and_cosines():
    table = sinusoids(3, 4)[0]
    for place in range(3):
        wanted = [math.sin(place), math.cos(place), math.sin(place / 100), math.cos(place / 100)]
        assert table[place].tolist() == pytest.approx(wanted)


def test_videomae_of_transformers(tmp_path, rng):
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    torch.manual_seed(0)
    config = VideoMAEConfig(
        image_size=32, patch_size=16, num_frames=4, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, num_labels=5,
    )  # fmt: skip
    model = VideoMAEForVideoClassification(config).eval()
    torch.nn.init.normal_(model.fc_norm.bias)
    folder = tmp_path / "lab" / "tiny"
    model.save_pretrained(folder)
    pixels = torch.randint(0, 256, (2, 4, 32, 32, 3), generator=rng, dtype=torch.uint8)
    video = (pixels.permute(0, 4, 1, 2, 3).float() / 255 - MEAN) / STD
    with torch.no_grad():
        logits = model(video.transpose(1, 2)).logits
    for name in (str(folder), "lab/tiny"):
        extractor = VideoMAE(weights=name, weights_dir=str(tmp_path), download=False, normalize=True)
        found = model.classifier(extractor(pixels)["clip"])
        torch.testing.assert_close(found, logits, atol=1e-5, rtol=1e-4)
    with pytest.raises(FileNotFoundError, match=r"lab/other/config\.json not found"):
        VideoMAE(weights="lab/other", weights_dir=str(tmp_path), download=False)
    with pytest.raises(FileNotFoundError, match="neither a folder nor a name"):
        VideoMAE(weights="tiny", weights_dir=str(tmp_path), download=False)


def saved_vjepa(folder: Any, rng: torch.Generator) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng) * 0.3

    state = blocks_state(rng, key_bias=True) | {"norm.weight": drawn(WIDTH), "norm.bias": drawn(WIDTH)}
    state["pos_embed"] = drawn(1, 8 * PLACES, WIDTH)
    target = {f"module.backbone.{name}": value for name, value in state.items()}
    torch.save({"target_encoder": target, "encoder": {}, "epoch": 3}, folder / "vith16.pth.tar")
    block = "cross_attention_block"
    probe = {
        "query_tokens": drawn(1, 1, WIDTH),
        f"{block}.norm1.weight": drawn(WIDTH), f"{block}.norm1.bias": drawn(WIDTH),
        f"{block}.norm2.weight": drawn(WIDTH), f"{block}.norm2.bias": drawn(WIDTH),
        f"{block}.xattn.q.weight": drawn(WIDTH, WIDTH), f"{block}.xattn.q.bias": drawn(WIDTH),
        f"{block}.xattn.kv.weight": drawn(2 * WIDTH, WIDTH), f"{block}.xattn.kv.bias": drawn(2 * WIDTH),
        f"{block}.xattn.proj.weight": drawn(WIDTH, WIDTH), f"{block}.xattn.proj.bias": drawn(WIDTH),
        f"{block}.mlp.fc1.weight": drawn(4 * WIDTH, WIDTH), f"{block}.mlp.fc1.bias": drawn(4 * WIDTH),
        f"{block}.mlp.fc2.weight": drawn(WIDTH, 4 * WIDTH), f"{block}.mlp.fc2.bias": drawn(WIDTH),
    }  # fmt: skip
    classifier = {f"module.pooler.{name}": value for name, value in probe.items()}
    classifier |= {"module.linear.weight": drawn(174, WIDTH), "module.linear.bias": drawn(174)}
    torch.save({"classifier": classifier, "epoch": 3}, folder / "ssv2-probe.pth.tar")
    return state, {name.removeprefix(f"{block}."): value for name, value in probe.items()}


def test_vjepa_is_the_published_arithmetic(tmp_path, rng):
    state, probe = saved_vjepa(tmp_path, rng)
    extractor = VJEPA(weights_dir=str(tmp_path), download=False, heads=HEADS)
    pixels, video = clips(rng)
    tokens = norm(state, "norm", tokens_of(state, (video - MEAN) / STD, state["pos_embed"]))
    plain = VJEPA(weights_dir=str(tmp_path), download=False, heads=HEADS, probe="none")
    torch.testing.assert_close(plain(pixels)["clip"], tokens.mean(dim=1), atol=2e-5, rtol=1e-4)

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, probe[f"{name}.weight"], probe[f"{name}.bias"])

    query = probe["query_tokens"].expand(2, -1, -1)
    k, v = linear("xattn.kv", norm(probe, "norm1", tokens, 1e-5)).chunk(2, dim=-1)
    query = query + linear("xattn.proj", attend(linear("xattn.q", query), k, v))
    query = query + linear("mlp.fc2", F.gelu(linear("mlp.fc1", norm(probe, "norm2", query, 1e-5))))
    torch.testing.assert_close(extractor(pixels)["clip"], query[:, 0], atol=2e-5, rtol=1e-4)
    assert plain.fingerprint != extractor.fingerprint
    assert extractor.weights["probe"]["file"] == "ssv2-probe.pth.tar"


def test_other_files_are_refused(tmp_path, rng):
    saved_vjepa(tmp_path, rng)
    saved_videomae(tmp_path, rng)
    other = {"weights_dir": str(tmp_path), "download": False, "heads": HEADS}
    with pytest.raises(ValueError, match="has no target_encoder"):
        VJEPA(weights="vit_g_hybrid_pt_1200e_ssv2_ft.pth", **other)
    with pytest.raises(ValueError, match="has no classifier"):
        VJEPA(probe="vith16.pth.tar", **other)
    torch.save({"module": {"head.weight": torch.zeros(1)}}, tmp_path / "head.pth")
    with pytest.raises(ValueError, match="holds no video transformer"):
        VideoMAE(weights="head.pth", **other)
    state = blocks_state(rng, key_bias=False)
    state["blocks.1.attn.relative"] = torch.zeros(1)
    torch.save(state, tmp_path / "more.pth")
    with pytest.raises(ValueError, match=r"1 keys unknown \(first: encoder.layer.1.*relative\)") as error:
        VideoMAE(weights="more.pth", **other)
    assert "\n" not in str(error.value)
