import pytest
import torch

from vgen.layer.shift_flip import shift_and_flip


def test_nothing_to_do():
    video = torch.rand(3, 2, 4, 5, 6)
    assert torch.equal(shift_and_flip(video, shift=0, flip=False), video)


def test_mirrors_half_of_the_clips_all_frames_alike():
    torch.manual_seed(0)
    video = torch.rand(400, 1, 3, 4, 4)
    out = shift_and_flip(video, shift=0, flip=True)
    mirrored = (out == video.flip(4)).flatten(1).all(1)
    same = (out == video).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.1)


def test_shifts_by_whole_pixels_and_reflects():
    torch.manual_seed(0)
    ramp = torch.arange(8.0).expand(300, 1, 2, 8, 8)
    out = shift_and_flip(ramp, shift=0.25, flip=False)
    rows = {tuple(row) for row in out[:, 0].flatten(1, 2).flatten(0, 1).tolist()}
    expected = {tuple(abs(i - d) if i - d < 8 else 14 - (i - d) for i in range(8)) for d in range(-2, 3)}
    assert rows == {tuple(float(v) for v in row) for row in expected}
    assert torch.equal(out[:, :, 0], out[:, :, 1])
