import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from vgen.extractor.inception import InceptionV3

FILE = "weights-inception-2015-12-05-6726825d.pth"


class StandIn(nn.Module):
    """The calling convention of torch-fidelity's extractor, on a network that tells what it was shown."""

    def __init__(self, name: str, features_list: list[str], feature_extractor_weights_path: str) -> None:
        super().__init__()
        assert features_list == ["2048", "logits_unbiased"]
        self.shift = nn.Parameter(torch.load(feature_extractor_weights_path, weights_only=True)["shift"])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert x.dtype == torch.uint8
        assert x.shape[1] == 3
        corner = x[:, :, 0, 0].float() + self.shift
        return corner.repeat(1, 683)[:, :2048], corner.repeat(1, 336)


@pytest.fixture
def fidelity(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = StandIn  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("fidelity")
def test_frames_keep_their_place(tmp_path):
    torch.save({"shift": torch.tensor(100.0)}, tmp_path / FILE)
    extractor = InceptionV3(weights_dir=str(tmp_path), download=False)
    pixels = torch.arange(2 * 5 * 3, dtype=torch.uint8).reshape(2, 5, 1, 1, 3).expand(2, 5, 4, 4, 3)
    features = extractor(pixels)
    assert set(features) == set(InceptionV3.roles)
    assert features["frames"].shape == (2, 5, 2048)
    assert features["frame_logits"].shape == (2, 5, 1008)
    assert torch.equal(features["frames"][..., :3], pixels[:, :, 0, 0].float() + 100)
    grey = extractor(pixels[..., :1])
    assert torch.equal(grey["frames"][..., 0], grey["frames"][..., 2])
    assert extractor.weights["published"] is False


@pytest.mark.usefixtures("fidelity")
def test_nothing_unsafe_reaches_torch_fidelity(tmp_path):
    torch.save({"shift": print}, tmp_path / FILE)
    with pytest.raises(ValueError, match="not a file of weights that can be read safely"):
        InceptionV3(weights_dir=str(tmp_path), download=False)


def test_a_missing_package_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ValueError, match="extractor inception") as error:
        InceptionV3(weights_dir=str(tmp_path), download=False)
    assert "torch-fidelity" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_real_network(tmp_path):
    """Untrained weights through torch-fidelity itself, where it is installed."""
    module = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason="needs torch-fidelity", exc_type=ImportError
    )
    torch.manual_seed(0)
    network = module.FeatureExtractorInceptionV3.__new__(module.FeatureExtractorInceptionV3)
    saved: dict[str, Tensor] = {}

    def keep(self: nn.Module, state: object) -> None:
        saved.update(self.state_dict())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", keep)
        patch.setattr(module.torch, "load", lambda *_, **__: {})
        network.__init__(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path="none"
        )
    torch.save(saved, tmp_path / FILE)
    extractor = InceptionV3(weights_dir=str(tmp_path), download=False)
    pixels = torch.randint(0, 256, (2, 2, 32, 40, 3), dtype=torch.uint8)
    features = extractor(pixels)
    pooled, logits = network(pixels.flatten(0, 1).permute(0, 3, 1, 2))
    torch.testing.assert_close(features["frames"].flatten(0, 1), pooled)
    torch.testing.assert_close(features["frame_logits"].flatten(0, 1), logits)
    assert features["frames"].shape == (2, 2, 2048)
    assert features["frame_logits"].shape == (2, 2, 1008)
    torch.save({**saved, "head.weight": torch.zeros(1)}, tmp_path / FILE)
    with pytest.raises(ValueError, match="does not fit") as error:
        InceptionV3(weights_dir=str(tmp_path), download=False)
    assert "\n" not in str(error.value)
