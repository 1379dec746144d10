import pytest
import torch
from moving import moving_clip, translating_clip

from vgen.extractor.flow import Flow


def test_velocity_is_in_shorter_sides_per_frame_whatever_the_size():
    inner = slice(3, 13)
    for height, width in ((64, 64), (64, 96), (128, 128)):
        clip = translating_clip((1.5, -0.75), height=height, width=width)
        motion = Flow()(clip)["flow"][:, :, inner, inner]
        expected = torch.tensor([1.5, -0.75]) / min(height, width)
        torch.testing.assert_close(motion[..., :2].mean(dim=(0, 1, 2, 3)), expected, atol=3e-4, rtol=0)
        assert motion[..., 2:].abs().mean() < 2e-3


def test_acceleration_is_that_of_what_moves():
    # x(t) = x0 + t + 0.3 t (t - 1): velocity 1, 1.6, 2.2, 2.8
    clip = moving_clip(5, 64, 64, lambda x, y, t: (x - t - 0.3 * t * (t - 1), y))
    motion = 64 * Flow()(clip)["flow"][0, :, 3:13, 3:13].mean(dim=(1, 2))
    expected = torch.tensor([[1.0, 0, 0.6, 0], [1.6, 0, 0.6, 0], [2.2, 0, 0.6, 0], [2.8, 0, 0, 0]])
    torch.testing.assert_close(motion, expected, atol=0.05, rtol=0)


def test_a_square_that_passes_by_is_not_accelerated():
    clip = torch.zeros(1, 6, 64, 64, 1, dtype=torch.uint8)
    for t in range(6):
        clip[0, t, 24:40, 6 + 6 * t : 22 + 6 * t] = 255
    motion = 64 * Flow(points=32)(clip)["flow"][0]
    inside = motion[:-1, 12:20][:, :, 5:7]  # inside the square of the first frame only
    at_first = inside[0]
    torch.testing.assert_close(at_first[..., 0].mean(), torch.tensor(6.0), atol=0.3, rtol=0)
    assert (
        at_first[..., 2:].norm(dim=-1).mean() < 0.7
    )  # where it was stands still afterwards: a fixed point sees -6


def test_frozen_clip_and_short_clip():
    frame = translating_clip((0, 0), frames=1)
    motion = Flow()(frame.expand(2, 3, -1, -1, 3))["flow"]
    assert motion.shape == (2, 2, 16, 16, 4)
    assert not motion.any()
    with pytest.raises(ValueError, match="at least 2 frames"):
        Flow()(frame)


def test_clips_do_not_depend_on_each_other():
    clips = torch.cat([translating_clip((v, 0.5), frames=3) for v in (0.2, 1.0, 2.0, 3.0, 0.7)])
    together = Flow(size=32)(clips)["flow"]
    apart = torch.cat([Flow(size=32)(clip[None])["flow"] for clip in clips])
    torch.testing.assert_close(together, apart, atol=1e-6, rtol=0)


def test_options():
    assert Flow(points=4)(translating_clip((1, 0)))["flow"].shape == (1, 3, 4, 4, 4)
    assert len({Flow().fingerprint, Flow(size=32).fingerprint, Flow(points=8).fingerprint}) == 3
    with pytest.raises(ValueError, match=r"flow\.size=48"):
        Flow(size=48)
    with pytest.raises(ValueError, match="points=0"):
        Flow(points=0)
