import pytest
import torch

from vgen.generator.synthesis.r3gan import R3GANSynthesis

# size, base_channels, max_channels, group_width -> million parameters of the published networks
PUBLISHED = {
    (32, 768, 768, 16): 20.73,  # CIFAR-10
    (64, 384, 768, 16): 22.43,  # FFHQ-64
    (256, 96, 768, 16): 23.06,  # FFHQ-256
    (32, 1536, 1536, 32): 82.75,  # ImageNet-32, without the embedding of the class
    (64, 1536, 1536, 32): 103.41,  # ImageNet-64
}


@pytest.mark.parametrize(("widths", "millions"), PUBLISHED.items())
def test_parameters_of_the_paper(widths: tuple[int, int, int, int], millions: float):
    size, base, most, group = widths
    with torch.device("meta"):
        synthesis = R3GANSynthesis(
            content_dim=64, motion_dim=0, size=size, base_channels=base, max_channels=most, group_width=group
        )
    assert round(sum(parameter.numel() for parameter in synthesis.parameters()) / 1e6, 2) == millions


def test_groups_of_the_paper():
    with torch.device("meta"):
        synthesis = R3GANSynthesis(content_dim=64, motion_dim=0, size=256, base_channels=96)
    groups = [layer.groups for layer in synthesis.modules() if getattr(layer, "groups", 1) > 1]
    assert groups == [96] * 8 + [48] * 2 + [24] * 2 + [12] * 2


@pytest.mark.parametrize("size", [8, 32])
def test_frames_are_linear_and_follow_both_codes(size: int):
    torch.manual_seed(0)
    synthesis = R3GANSynthesis(
        content_dim=3, motion_dim=2, size=size, channels=2, base_channels=8, max_channels=16
    )
    content, motion = torch.randn(4, 3), torch.randn(4, 2)
    frames = synthesis(content, motion)
    assert frames.shape == (4, 2, size, size)
    assert not torch.allclose(synthesis(content, motion.flip(0)), frames)
    assert not torch.allclose(synthesis(content.flip(0), motion), frames)
    # All residual branches start at zero: the frame is linear in the code.
    torch.testing.assert_close(synthesis(2 * content, 2 * motion), 2 * frames)
    assert 0.2 < frames.std() < 3
