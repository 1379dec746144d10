import pytest
import torch
from torchmetrics.functional.image import lpips

from vgen.extractor.perceptual import Perceptual, alexnet_features


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """AlexNet of random weights, as torchvision's file has it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        features = alexnet_features()
    file = tmp_path_factory.mktemp("weights") / "random.pth"
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    torch.save(state | {"classifier.1.weight": torch.zeros(2, 2)}, file)
    return file


def clips(count, frames=2, size=64, channels=3, seed=0):
    drawn = torch.randint(
        0, 256, (count, frames, size, size, channels), generator=torch.Generator().manual_seed(seed)
    )
    return drawn.to(torch.uint8)


def test_distance_is_lpips(weights, monkeypatch):
    extractor = Perceptual(weights=str(weights), size=64)
    trunk = alexnet_features()
    trunk.load_state_dict(extractor.features.state_dict())
    monkeypatch.setattr(lpips, "_get_tv_model_features", lambda net, pretrained: trunk)
    reference = lpips._LPIPS(pnet_rand=True, net="alex")
    x, y = (clips(3, frames=1, seed=seed) for seed in (1, 2))
    a, b = (extractor(side)["perceptual"][:, 0].double() for side in (x, y))
    images = [side[:, 0].permute(0, 3, 1, 2) / 127.5 - 1 for side in (x, y)]
    expected = reference(*images).flatten().double()
    assert expected.min() > 0
    torch.testing.assert_close((a - b).square().sum(dim=1), expected, rtol=1e-4, atol=0)


def test_frames_at_the_middles_of_equal_parts(weights):
    video = clips(2, frames=8)
    for frames, chosen in ((1, [4]), (2, [2, 6]), (4, [1, 3, 5, 7])):
        one_by_one = Perceptual(weights=str(weights), frames=1)
        expected = torch.cat([one_by_one(video[:, [t]])["perceptual"] for t in chosen], dim=1)
        found = Perceptual(weights=str(weights), frames=frames)(video)["perceptual"]
        assert found.shape == (2, frames, 31872)
        torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="at least 9 frames"):
        Perceptual(weights=str(weights), frames=9)(video)


def test_sizes_and_grey(weights):
    extractor = Perceptual(weights=str(weights))
    large = clips(1, size=32).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    assert extractor(large)["perceptual"].shape == (1, 1, 31872)
    grey = clips(1, channels=1)
    torch.testing.assert_close(
        extractor(grey)["perceptual"], extractor(grey.expand(-1, -1, -1, -1, 3).clone())["perceptual"]
    )
    with pytest.raises(ValueError, match="size=16"):
        Perceptual(weights=str(weights), size=16)


def test_weights_decide_the_fingerprint_and_are_checked(weights, tmp_path):
    extractor = Perceptual(weights=str(weights))
    assert len(extractor.weights["sha256"]) == 64
    assert extractor.fingerprint == Perceptual(weights=str(weights)).fingerprint
    assert extractor.fingerprint != Perceptual(weights=str(weights), frames=2).fingerprint
    with pytest.raises(FileNotFoundError, match=r"alexnet-owt-7be5be79\.pth"):
        Perceptual(weights_dir=str(tmp_path), download=False)
    other = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(3)}, other)
    with pytest.raises(ValueError, match="does not fit"):
        Perceptual(weights=str(other))
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(weights.read_bytes())
    with pytest.raises(ValueError, match="not the published file"):
        Perceptual(weights_dir=str(tmp_path), download=False)
