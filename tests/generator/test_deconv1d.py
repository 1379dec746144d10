import pytest
import torch

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.motion.deconv1d import Deconv1dMotion


def test_parameters_of_the_temporal_generator():
    with torch.device("meta"):
        motion = Deconv1dMotion(content_dim=100)
    count = sum(parameter.numel() for parameter in motion.parameters())
    assert count == 824_320
    assert round(count / 1e6, 2) == 0.82
    shapes = [tuple(p.shape) for p in motion.parameters() if p.dim() == 3]
    assert shapes == [(100, 512, 1), (512, 256, 4), (256, 128, 4), (128, 128, 4), (128, 100, 4)]


def test_content_and_label_become_sixteen_codes():
    torch.manual_seed(0)
    motion = Deconv1dMotion(content_dim=4, motion_dim=3, base_channels=4, label_dim=2).eval()
    content, label = torch.randn(2, 4), torch.eye(2)
    assert motion.sample_latent(2, regular_times(2, 16), rng.generator(0)) == {}
    codes = motion({"content": content}, regular_times(2, 16), label)
    assert codes.shape == (2, 16, 3)
    assert codes.abs().max() <= 1
    assert not torch.allclose(codes[:, 0], codes[:, 1])
    assert not torch.allclose(motion({"content": content}, regular_times(2, 16), label.flip(0)), codes)
    torch.testing.assert_close(motion({"content": content[1:]}, regular_times(1, 16), label[1:]), codes[1:])


def test_only_sixteen_equally_spaced_frames():
    motion = Deconv1dMotion(content_dim=4, base_channels=1)
    motion.check_times(regular_times(1, 16, stride=2))
    with pytest.raises(ValueError, match=r"16 frames only, not of 8; set clip\.frames=16"):
        motion.check_times(regular_times(1, 8))
    with pytest.raises(ValueError, match="sampler=consecutive"):
        motion.check_times(regular_times(1, 16) ** 2)
    with pytest.raises(ValueError, match="16 frames only"):
        motion({"content": torch.randn(1, 4)}, regular_times(1, 8), None)
