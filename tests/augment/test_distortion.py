import pytest
import torch

from vgen import rng
from vgen.augment.distortion import Distortion
from vgen.clip import Augment, Clip, regular_times


def distorted(video: torch.Tensor, seed: int = 0, **arguments: float) -> torch.Tensor:
    with rng.use_stream(rng.BatchStream(rng.generator(seed))):
        return Distortion(**arguments)(Clip(video, regular_times(*video.shape[:3:2]))).video


def picture(batch: int) -> torch.Tensor:
    at = torch.linspace(-2, 2, 16)
    return (at[:, None].sin() * at.cos()).expand(batch, 3, 4, 16, 16).clone()


def test_frames_alike_clips_apart_and_a_little_only():
    assert isinstance(Distortion(), Augment)
    video = picture(64)
    changed = distorted(video)
    torch.testing.assert_close(changed, changed[:, :, :1].expand_as(changed))
    change = (changed - video).abs().flatten(1).amax(1)
    assert len(change.unique()) > 40
    assert change.median() < 0.5
    assert torch.equal(distorted(video), changed)
    assert not torch.equal(distorted(video, seed=1), changed)
    assert torch.equal(distorted(video, p=0.0), video)
    torch.testing.assert_close(distorted(video, strength=0.0), video, atol=0.05, rtol=0)


def test_half_of_the_clips_are_noisy():
    """Of clips without structure only noise shows."""
    changed = distorted(torch.zeros(400, 1, 2, 8, 8))
    spread = changed[:, 0, 0].flatten(1).std(1)
    noisy = spread > 0
    assert 150 < noisy.sum() < 250
    assert abs(spread[noisy].square().mean().sqrt() - 0.08) < 0.01


def test_what_is_refused():
    for arguments, message in (({"p": 1.5}, r"p=1\.5"), ({"strength": -1.0}, r"strength=-1")):
        with pytest.raises(ValueError, match=message):
            Distortion(**arguments)
