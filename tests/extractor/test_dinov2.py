import sys
from pathlib import Path

import pytest
import torch

from vgen.extractor.dinov2 import DINOv2
from vgen.extractor.videomae import VideoMAE
from vgen.extractor.vjepa import VJEPA


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        image_size=28, patch_size=14, hidden_size=16, num_hidden_layers=2, num_attention_heads=2
    )
    folder = tmp_path_factory.mktemp("weights")
    transformers.Dinov2Model(config).save_pretrained(folder / "lab" / "tiny")
    return folder


def test_class_tokens_of_every_frame(folder: Path) -> None:
    from transformers import Dinov2Model

    extractor = DINOv2(model="lab/tiny", weights_dir=str(folder), download=False, size=28)
    pixels = torch.randint(
        0, 256, (2, 3, 28, 28, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    found = extractor(pixels)["frames"]
    assert found.shape == (2, 3, 16)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    images = ((pixels.flatten(0, 1).float() / 255 - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        tokens = Dinov2Model.from_pretrained(folder / "lab" / "tiny")(images).last_hidden_state
    torch.testing.assert_close(found.flatten(0, 1), tokens[:, 0], atol=1e-5, rtol=1e-4)
    assert torch.equal(extractor(pixels[1:])["frames"], found[1:])
    assert extractor.weights["model"] == "lab/tiny"


def test_sizes(folder: Path) -> None:
    path = str(folder / "lab" / "tiny")
    pixels = torch.randint(0, 256, (1, 2, 40, 60, 1), dtype=torch.uint8)
    found = [
        DINOv2(model=path, size=size, fit=fit) for size, fit in ((28, "squash"), (28, "crop"), (42, "squash"))
    ]  # pyright: ignore[reportArgumentType]
    assert len({extractor.fingerprint for extractor in found}) == 3
    assert [extractor(pixels)["frames"].shape for extractor in found] == [(1, 2, 16)] * 3
    with pytest.raises(ValueError, match="multiple of its patches' 14"):
        DINOv2(model=path, size=30)


def test_what_is_not_there_or_no_dinov2(folder: Path, tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTModel

    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        DINOv2(model=str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"https://huggingface.co/a/b/resolve/main/config.json"
    ) as error:
        DINOv2(model="a/b", weights_dir=str(tmp_path), download=False)
    assert "\n" not in str(error.value)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=28
    )
    ViTModel(config).save_pretrained(tmp_path / "vit")
    with pytest.raises(ValueError, match="Dinov2Model") as error:
        DINOv2(model=str(tmp_path / "vit"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("extractor", [DINOv2, VideoMAE, VJEPA])
def test_without_transformers(extractor: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        ValueError, match=f"extractor {extractor.name} needs the package transformers"
    ) as error:
        extractor(download=False)
    assert "pip install 'vgen[transformers]'" in str(error.value)
    assert "\n" not in str(error.value)
