import pytest
import torch
from torch import nn

from vgen.generator.synthesis.biggan import BigGAN


def make(**arguments) -> BigGAN:
    torch.manual_seed(0)
    return BigGAN(**{"content_dim": 3, "motion_dim": 2, "size": 16, "base_channels": 4} | arguments)


def test_frames_follow_both_codes():
    synthesis = make().eval()
    content, motion = torch.randn(4, 3), torch.randn(4, 2)
    frames = synthesis(content, motion)
    assert frames.shape == (4, 3, 16, 16)
    assert frames.abs().max() <= 1
    assert not torch.allclose(synthesis(content, motion.flip(0)), frames)
    torch.testing.assert_close(synthesis(content[1:2], motion[1:2]), frames[1:2])


def test_the_code_speaks_at_every_layer():
    synthesis = make()
    assert [norm.gain.in_features for norm in synthesis.modules() if hasattr(norm, "gain")] == [5, 5, 5, 5]
    # Even with the first map blind to it, the code reaches the frames.
    with torch.no_grad():
        synthesis.first.parametrizations.weight.original.zero_()
        synthesis.first.parametrizations.weight.original[0, 0] = 1e-9
    x = synthesis(torch.randn(4, 3), torch.randn(4, 2))
    assert not torch.allclose(x[0], x[1])


def test_weights_are_orthogonal_with_norm_one():
    plain = make(spectral=False)
    rows = plain.blocks[0].second.weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-5, rtol=0)
    normed = make()
    with torch.no_grad():
        for name, parameter in normed.named_parameters():
            if name.endswith("weight.original"):
                parameter *= 3
    for layer in normed.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2) < 1.05


@pytest.mark.parametrize(("size", "widths"), [(32, [8, 4, 2]), (128, [32, 16, 8, 4, 2])])
def test_widths(size: int, widths: list[int]):
    synthesis = make(size=size, base_channels=2, max_channels=32)
    assert [block.second.out_channels for block in synthesis.blocks] == widths
    assert synthesis.first.out_features == 16 * min(2 * widths[0], 32)
