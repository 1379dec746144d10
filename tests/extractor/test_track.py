import numpy as np
import pytest
import torch

from vgen.data.pendulum import Pendulum
from vgen.extractor.track import Track


def test_the_track_is_that_of_the_bob():
    pendulum = Pendulum(size=64, videos=8)
    indices = np.arange(0, 60, 5)
    clips = torch.from_numpy(np.stack([pendulum.read(i, indices) for i in range(8)]))
    noisy = (clips.int() + torch.randint(0, 16, clips.shape)).clamp(0, 255).to(torch.uint8)
    for pixels, within in ((clips, 0.002), (noisy, 0.01)):
        track = Track()(pixels)["track"]
        assert track.shape == (8, 12, 3)
        for i in range(8):
            assert track[i, :, :2].numpy() == pytest.approx(pendulum.bob(i, indices) / 64, abs=within)
        assert (track[..., 2] > 0).all()


def test_frames_without_colour_have_no_object():
    grey = torch.full((1, 3, 8, 12, 3), 200, dtype=torch.uint8)
    assert Track()(grey)["track"].tolist() == [[[0.5, 0.5, 0.0]] * 3]


def test_refuses_grey_clips():
    with pytest.raises(ValueError, match="needs 3 channels"):
        Track()(torch.zeros(1, 3, 8, 8, 1, dtype=torch.uint8))
