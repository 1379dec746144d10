import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vgen.extractor.c3d import C3D, Network, _mean

CONVOLUTIONS = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")


def transparent(place: int | None) -> dict[str, np.ndarray]:
    """Arrays of a network that hands its three channels on: the mean over the last 4x4 cells, or the one at `place`."""
    arrays = {}
    for name in CONVOLUTIONS:
        kernel = np.zeros((3, 3, 3, 3, 3), np.float32)
        kernel[:, :, 1, 1, 1] = np.eye(3)
        arrays[f"{name}/W"], arrays[f"{name}/b"] = kernel, np.zeros(3, np.float32)
    cells = np.full(16, 1 / 16, np.float32) if place is None else np.eye(16, dtype=np.float32)[place]
    arrays["fc6/W"] = np.kron(np.eye(3, dtype=np.float32), cells)
    arrays["fc7/W"] = np.eye(3, dtype=np.float32)
    arrays["fc8/W"] = np.eye(101, 3, dtype=np.float32)
    for name, width in (("fc6", 3), ("fc7", 3), ("fc8", 101)):
        arrays[f"{name}/b"] = np.zeros(width, np.float32)
    return arrays


def made(folder, *, place: int | None = None, mean: tuple[int, int, int] = (0, 0, 0), **more) -> C3D:
    np.savez(folder / "conv3d_deepnetA_ucf.npz", **(transparent(place) | more))
    clip = np.broadcast_to(np.array(mean, np.float32)[:, None, None, None], (3, 16, 128, 171))
    np.savez(folder / "mean2.npz", mean=clip)
    return C3D(weights_dir=str(folder), download=False)


def painted(*colour: int) -> Tensor:
    return torch.tensor(colour, dtype=torch.uint8).expand(2, 16, 20, 24, 3)


def test_sizes_are_those_of_the_published_network():
    with torch.device("meta"):
        network = Network((64, 128, 256, 256, 512, 512, 512, 512, 4096, 4096, 101))
    assert sum(p.numel() for p in network.parameters()) == 78_409_573
    assert network.get_submodule("fc6").weight.shape == (4096, 8192)


def test_bgr_minus_the_mean(tmp_path):
    features = made(tmp_path, mean=(1, 2, 3))(painted(10, 20, 30))
    torch.testing.assert_close(features["clip"], torch.tensor([[29.0, 18.0, 7.0]] * 2))
    assert features["logits"].shape == (2, 101)
    assert torch.equal(features["logits"][:, :3], features["clip"])


def test_what_is_negative_is_rectified(tmp_path):
    clip = made(tmp_path, mean=(0, 255, 0))(painted(9, 9, 9))["clip"][0]
    torch.testing.assert_close(clip, torch.tensor([9.0, 0.0, 9.0]))


def test_poolings_hang_over_behind(tmp_path):
    """Of 7x7 cells, the windows are 01, 23, 45, 6: a bright cell 1 is seen by the first of them alone."""
    video = torch.zeros(1, 16, 112, 112, 3, dtype=torch.uint8)
    video[:, :, 16:32, 16:32] = 50
    for place in (0, 1, 4, 5):
        seen = made(tmp_path, place=place)(video)["clip"]
        assert seen[0].tolist() == ([50] * 3 if place == 0 else [0] * 3)


def test_the_cut_of_the_mean(tmp_path):
    mean = np.random.RandomState(0).standard_normal((3, 16, 128, 171)).astype(np.float32)
    np.savez(tmp_path / "mean2.npz", mean=mean)
    found = _mean(tmp_path / "mean2.npz")
    assert found.shape == (3, 16, 112, 112)
    assert found[1, 2, 0, 111] == mean[1, 2, 8, 119]


def test_the_mean_belongs_to_the_weights(tmp_path):
    first, second = made(tmp_path), made(tmp_path, mean=(1, 1, 1))
    assert first.fingerprint != second.fingerprint
    assert first.weights["sha256"] == second.weights["sha256"]
    assert first.weights["mean"]["sha256"] != second.weights["mean"]["sha256"]


def test_what_the_converter_left_in_the_file_is_no_fault(tmp_path):
    clip = made(tmp_path, **{"pre/W": np.zeros(3)})(painted(1, 2, 3))["clip"][0]
    torch.testing.assert_close(clip, torch.tensor([3.0, 2.0, 1.0]))


@pytest.mark.parametrize("frames", [15, 17, 32])
def test_sixteen_frames(tmp_path, frames):
    with pytest.raises(ValueError, match=f"16 frames, got {frames}"):
        made(tmp_path)(torch.zeros(1, frames, 8, 8, 3, dtype=torch.uint8))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"1 keys unknown \(first: conv6a.weight\)"):
        made(tmp_path, **{"conv6a/W": np.zeros(3)})
    np.savez(tmp_path / "conv3d_deepnetA_ucf.npz", other=np.zeros(3))
    with pytest.raises(ValueError, match="conv1a/W is missing"):
        C3D(weights_dir=str(tmp_path), download=False)
    (tmp_path / "conv3d_deepnetA_ucf.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a file of plain arrays") as error:
        C3D(weights_dir=str(tmp_path), download=False)
    assert "\n" not in str(error.value)
    np.savez(tmp_path / "conv3d_deepnetA_ucf.npz", other=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="not a file of plain arrays"):
        C3D(weights_dir=str(tmp_path), download=False)


def test_missing_mean(tmp_path):
    made(tmp_path)
    (tmp_path / "mean2.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"mean2\.npz not found"):
        C3D(weights_dir=str(tmp_path), download=False)
    np.savez(tmp_path / "mean2.npz", mean=np.zeros((3, 16, 112, 112)))
    with pytest.raises(ValueError, match="no array mean of shape"):
        C3D(weights_dir=str(tmp_path), download=False)


class Archive(nn.Module):
    """A stand-in for StyleGAN-V's archive: bytes in, probabilities out."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != torch.uint8:
            raise ValueError("expected bytes")
        return (x[:, :, 0, 0, 0].float() * self.sharpness).softmax(dim=1) * self.sharpness


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_archive(tmp_path):
    torch.jit.save(torch.jit.script(Archive(1.0)), str(tmp_path / "c3d_ucf101.pt"))
    extractor = C3D(weights_dir=str(tmp_path), download=False)
    assert extractor.roles == ("logits",)
    assert C3D.roles == ("clip", "logits")
    features = extractor(painted(1, 2, 3))
    assert set(features) == {"logits"}
    torch.testing.assert_close(
        features["logits"].softmax(dim=1), torch.tensor([[1.0, 2.0, 3.0]] * 2).softmax(dim=1)
    )
    torch.jit.save(torch.jit.script(Archive(2.0)), str(tmp_path / "c3d_ucf101.pt"))
    with pytest.raises(ValueError, match="gives no probabilities"):
        C3D(weights_dir=str(tmp_path), download=False)(painted(1, 2, 3))
    (tmp_path / "c3d_ucf101.pt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no TorchScript archive"):
        C3D(weights_dir=str(tmp_path), download=False)
