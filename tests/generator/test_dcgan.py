import pytest
import torch

from vgen.generator.synthesis.dcgan import DCGAN


@pytest.mark.parametrize("size", [8, 32, 64, 128])
def test_frames_of_any_allowed_size(size: int):
    frames = DCGAN(content_dim=3, motion_dim=2, size=size, channels=2, base_channels=4, max_channels=16)(
        torch.randn(3, 3), torch.randn(3, 2)
    )
    assert frames.shape == (3, 2, size, size)
    assert frames.abs().max() <= 1


def test_widths_of_the_original():
    with torch.device("meta"):
        shapes = [
            tuple(p.shape[:2]) for p in DCGAN(content_dim=50, motion_dim=10).parameters() if p.dim() == 4
        ]
    assert shapes == [(60, 512), (512, 256), (256, 128), (128, 64), (64, 3)]


def test_size_that_cannot_be_made():
    with pytest.raises(ValueError, match=r"clip\.size=48"):
        DCGAN(content_dim=5, motion_dim=0, size=48)
