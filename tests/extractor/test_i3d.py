import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.extractor import i3d as i3d_module
from vgen.extractor.i3d import I3D
from vgen.extractor.i3d_network import Network, Unit, _max_pool

GOLDEN = Path(__file__).parents[1] / "golden" / "i3d"


def made_weights() -> dict[str, Tensor]:
    state = {}
    for name, shape in json.loads((GOLDEN / "state_dict_shapes.json").read_text()).items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
            continue
        x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
        if name.endswith("conv3d.weight"):
            x = x * math.sqrt(2 / math.prod(shape[1:]))
        elif name.endswith("running_var"):
            x = 1 + 0.1 * abs(x)
        elif name.endswith("bn.weight"):
            x = 1 + 0.1 * x
        else:
            x = 0.1 * x
        state[name] = torch.from_numpy(np.asarray(x, np.float32))
    return state


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.save(made_weights(), folder / "i3d_pretrained_400.pt")
    return folder


@pytest.fixture(scope="module")
def videos():
    return torch.from_numpy(np.load(GOLDEN / "videos.npy"))


def made(folder, **options) -> I3D:
    return I3D(weights_dir=str(folder), download=False, **options)


def test_parameter_names_and_shapes_are_the_published_ones():
    published = json.loads((GOLDEN / "state_dict_shapes.json").read_text())
    ours = {name: list(value.shape) for name, value in Network(eps=1e-5).state_dict().items()}
    assert ours == published


def test_golden_logits_of_one_clip(folder, videos):
    expected = torch.from_numpy(np.load(GOLDEN / "logits.npy"))
    features = made(folder)(videos[:1])
    assert set(features) == set(I3D.roles)
    assert features["logits"].dtype == torch.float32
    assert (features["logits"] - expected[:1]).abs().max() < 1e-4
    assert torch.equal(features["clip"], features["logits"])


@pytest.mark.slow
def test_golden_logits_of_all_clips(folder, videos):
    expected = torch.from_numpy(np.load(GOLDEN / "logits.npy"))
    assert (made(folder)(videos)["logits"] - expected).abs().max() < 1e-4


@pytest.mark.slow
def test_golden_logits_compiled(folder, videos):
    expected = torch.from_numpy(np.load(GOLDEN / "logits.npy"))
    assert (made(folder, compile=True)(videos)["logits"] - expected).abs().max() < 1e-4


def test_features_do_not_depend_on_the_batch(folder, videos):
    """Not even in their last bit, or a resumed evaluation would give other numbers."""
    short = videos[:2, :9]
    extractor = made(folder, output="pool")
    both = extractor(short)
    assert both["clip"].shape == (2, 1024)
    assert both["logits"].shape == (2, 400)
    for role in I3D.roles:
        assert torch.equal(both[role][1:], extractor(short[1:])[role])


def test_least_number_of_frames(folder, videos):
    with pytest.raises(ValueError, match="at least 9 frames, got 8"):
        made(folder)(videos[:1, :8])


def test_folding_keeps_the_function():
    torch.manual_seed(0)
    unit = Unit(3, 5, 3, eps=1e-3).eval()
    assert unit.bn is not None
    unit.bn.load_state_dict(
        {
            "weight": torch.randn(5),
            "bias": torch.randn(5),
            "running_mean": torch.randn(5),
            "running_var": torch.rand(5) + 0.1,
            "num_batches_tracked": torch.tensor(0),
        }
    )
    x = torch.randn(2, 3, 4, 6, 6)
    before = unit(x)
    unit.fold()
    assert unit.bn is None
    torch.testing.assert_close(unit(x), before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kernel", [(1, 3, 3), (3, 3, 3), (2, 2, 2)])
@pytest.mark.parametrize("frames", [5, 6, 7, 8])
def test_pooling_is_tensorflows_same(kernel, frames):
    """Against zeros put around by hand: ceil(size / stride) outputs, the odd cell behind."""
    x = torch.rand(2, 3, frames, 14, 15, generator=torch.Generator().manual_seed(0))
    stride = (1 if kernel[0] == 1 else 2, 2, 2)
    padding: list[int] = []
    for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        total = max(0, (math.ceil(size / s) - 1) * s + k - size)
        padding += [total // 2, total - total // 2]
    expected = F.max_pool3d(F.pad(x, padding), kernel, stride)
    assert torch.equal(_max_pool(x, kernel, stride), expected)
    last = x.contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(_max_pool(last, kernel, stride), expected)


@pytest.fixture
def no_network(monkeypatch):
    """What does not run the network need not load it."""
    monkeypatch.setattr(i3d_module, "_folded", lambda path, eps: nn.Conv3d(1, 1, 1))


@pytest.mark.usefixtures("no_network")
def test_fingerprint_names_weights_and_what_moves_numbers(folder, tmp_path):
    same, again = (made(folder) for _ in range(2))
    assert same.fingerprint == again.fingerprint == made(folder, compile=True, clips=5000).fingerprint
    assert len(same.fingerprint) == 64
    assert not same.train().network.training
    others = [{"eps": 1e-3}, {"kernel": "tf1"}, {"fit": "crop"}, {"order": "scale_first"}, {"output": "pool"}]
    assert len({same.fingerprint, *(made(folder, **other).fingerprint for other in others)}) == 6
    (tmp_path / "i3d_pretrained_400.pt").write_bytes(b"other weights")
    assert made(tmp_path).fingerprint != same.fingerprint


@pytest.mark.usefixtures("no_network")
def test_weights_go_with_the_result(folder):
    weights = made(folder).weights
    assert weights["file"] == "i3d_pretrained_400.pt"
    assert len(weights["sha256"]) == 64
    assert weights["published"] is None
    assert (folder / "i3d_pretrained_400.pt.sha256").read_text().startswith(weights["sha256"])


def test_order_of_resizing_and_scaling_hardly_matters(folder, videos):
    first, second = (made(folder, order=order)(videos[:1, :9]) for order in ("resize_first", "scale_first"))
    assert (first["logits"] - second["logits"]).abs().max() < 1e-4


@pytest.mark.usefixtures("no_network")
def test_compiling_is_for_many_clips_and_needs_a_compiler(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda network, **_: asked.append(network) or network)
    cpu = torch.device("cpu")
    for options, compiled in [({}, 0), ({"clips": 999}, 0), ({"clips": 1000}, 1), ({"compile": True}, 2)]:
        made(folder, **options)._fastest(cpu)
        assert len(asked) == compiled
    made(folder, compile=True)._fastest(torch.device("cuda"))
    made(folder, compile=False, clips=5000)._fastest(cpu)
    monkeypatch.setattr(i3d_module.shutil, "which", lambda _: None)
    made(folder, clips=5000)._fastest(cpu)
    assert len(asked) == 2
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler"):
        made(folder, compile=True)._fastest(cpu)


def test_missing_weights_say_where_to_find_them(tmp_path, monkeypatch):
    monkeypatch.setenv("VGEN_WEIGHTS", str(tmp_path / "here"))
    with pytest.raises(FileNotFoundError) as error:
        I3D(download=False)
    for part in ("i3d_pretrained_400.pt", "https://", str(tmp_path / "here"), "VGEN_WEIGHTS"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_other_weights_are_refused(tmp_path):
    state = {name: torch.zeros(value.shape) for name, value in Network(eps=1e-5).state_dict().items()}
    state["head.weight"] = state.pop("logits.conv3d.weight")
    state["logits.conv3d.bias"] = torch.zeros(7)
    path = tmp_path / "wrong.pt"
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"1 keys missing \(first: logits.conv3d.weight\)") as error:
        I3D(weights=str(path))
    assert "head.weight" in str(error.value)
    assert "another shape (first: logits.conv3d.bias)" in str(error.value)
    assert "\n" not in str(error.value)
    path.write_bytes(b"not weights")
    with pytest.raises(ValueError, match="not a file of weights"):
        I3D(weights="wrong.pt", weights_dir=str(tmp_path))
    with pytest.raises(ValueError, match="choose one of torch, tf1"):
        I3D(weights=str(path), kernel="bicubic")  # pyright: ignore[reportArgumentType]


class Archive(nn.Module):
    """A stand-in with the calling convention of the published archive."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm3d(3, eps=1e-3)

    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        if rescale != resize or not return_features:
            raise ValueError("called otherwise than the published archive")
        if rescale:
            x = x + 10
        return F.adaptive_avg_pool3d(self.bn(x), [4, 10, 10])[:, 0].flatten(1)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_torchscript_archive(tmp_path, videos):
    torch.jit.save(torch.jit.script(Archive().eval()), str(tmp_path / "i3d_torchscript.pt"))
    extractor = made(tmp_path, eps=1e-3)
    assert extractor.weights["eps"] == pytest.approx(1e-3)
    assert extractor.weights["published"] is False
    raw = videos[:2].permute(0, 4, 1, 2, 3).float()

    def pooled(video: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(video, [4, 10, 10])[:, 0].flatten(1) / math.sqrt(1 + 1e-3)

    features = extractor(videos[:2])
    torch.testing.assert_close(features["logits"], pooled(raw + 10), rtol=1e-4, atol=1e-4)
    assert torch.equal(features["clip"], features["logits"])
    # what StyleGAN-V's call does not do is done before the archive, in -1..1
    ours = made(tmp_path, eps=1e-3, kernel="tf1")(videos[:2])["logits"]
    assert ours.abs().max() < 1.1
    with pytest.warns(UserWarning, match="eps=0.001 compiled in; eps=1e-05 does not apply"):
        made(tmp_path)
    with pytest.raises(ValueError, match="output=pool cannot be had"):
        made(tmp_path, eps=1e-3, output="pool")
    torch.save(made_weights(), tmp_path / "i3d_pretrained_400.pt")
    assert not made(tmp_path).is_archive  # the state dict comes first
