import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.extractor.i3d import I3D, Network, fit_frames

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


def test_parameter_names_and_shapes_are_the_published_ones():
    published = json.loads((GOLDEN / "state_dict_shapes.json").read_text())
    ours = {name: list(value.shape) for name, value in Network(eps=1e-5).state_dict().items()}
    assert ours == published


def test_golden_logits_of_one_clip(folder, videos):
    expected = torch.from_numpy(np.load(GOLDEN / "logits.npy"))
    features = I3D(weights_dir=str(folder))(videos[:1])
    assert features.dtype == torch.float32
    assert (features - expected[:1]).abs().max() < 1e-4


@pytest.mark.slow
def test_golden_logits_of_all_clips(folder, videos):
    expected = torch.from_numpy(np.load(GOLDEN / "logits.npy"))
    assert (I3D(weights_dir=str(folder))(videos) - expected).abs().max() < 1e-4


def test_least_number_of_frames(folder, videos):
    extractor = I3D(weights_dir=str(folder), output="pool")
    assert extractor(videos[:1, :9]).shape == (1, extractor.dim) == (1, 1024)
    with pytest.raises(ValueError, match="at least 9 frames, got 8"):
        extractor(videos[:1, :8])


def test_fingerprint_names_weights_and_preprocessing(folder, tmp_path):
    same, again = (I3D(weights_dir=str(folder)) for _ in range(2))
    other = I3D(weights_dir=str(folder), eps=1e-3)
    assert same.fingerprint == again.fingerprint != other.fingerprint
    assert len(same.fingerprint) == 64
    assert not same.train().network.training


def test_missing_weights_say_where_to_find_them(tmp_path, monkeypatch):
    monkeypatch.setenv("VGEN_WEIGHTS", str(tmp_path / "here"))
    with pytest.raises(FileNotFoundError) as error:
        I3D()
    for part in ("i3d_pretrained_400.pt", "i3d_torchscript.pt", "TATS", "flateon", str(tmp_path / "here")):
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
    with pytest.raises(ValueError, match="choose torch or tf1"):
        I3D(weights=str(path), resize="bicubic")  # pyright: ignore[reportArgumentType]


class Archive(nn.Module):
    """A stand-in with the calling convention of the published archive."""

    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        if not (rescale and resize and return_features):
            raise ValueError("called otherwise than the published archive")
        return F.adaptive_avg_pool3d(x, [4, 10, 10])[:, 0].flatten(1)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_torchscript_archive(tmp_path, videos):
    torch.jit.save(torch.jit.script(Archive()), str(tmp_path / "i3d_torchscript.pt"))
    extractor = I3D(weights_dir=str(tmp_path))
    expected = F.adaptive_avg_pool3d(videos.permute(0, 4, 1, 2, 3).float(), [4, 10, 10])[:, 0].flatten(1)
    assert torch.equal(extractor(videos), expected)
    with pytest.raises(ValueError, match=r"eps=0\.001 cannot be applied"):
        I3D(weights_dir=str(tmp_path), eps=1e-3)


def test_resizing():
    frames = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    # doubling with TF1's bilinear: even outputs are the inputs, odd ones the means of neighbours
    doubled = fit_frames(frames, resize="tf1", fit="squash")
    torch.testing.assert_close(doubled[..., ::2, ::2], frames)
    torch.testing.assert_close(doubled[..., ::2, 1:-1:2], (frames[..., :-1] + frames[..., 1:]) / 2)
    torch.testing.assert_close(doubled[..., -1, ::2], frames[..., -1, :])
    torch.testing.assert_close(fit_frames(doubled, resize="torch", fit="squash"), doubled)
    wide = torch.rand(1, 3, 224, 300, generator=torch.Generator().manual_seed(1))
    for resize in ("torch", "tf1"):
        assert torch.equal(fit_frames(wide, resize=resize, fit="crop"), wide[..., 38:262])
        assert fit_frames(wide, resize=resize, fit="squash").shape == (1, 3, 224, 224)
        assert fit_frames(torch.rand(1, 3, 48, 64), resize=resize, fit="crop").shape == (1, 3, 224, 224)
