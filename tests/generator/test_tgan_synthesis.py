from functools import partial

import pytest
import torch

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.framewise import Framewise
from vgen.generator.motion.deconv1d import Deconv1dMotion
from vgen.generator.synthesis.tgan import TGANSynthesis


def test_parameters_of_the_image_generator():
    with torch.device("meta"):
        synthesis = TGANSynthesis(content_dim=100, motion_dim=100)
    count = sum(parameter.numel() for parameter in synthesis.parameters())
    assert count == 3_614_019
    assert round(count / 1e6, 2) == 3.61
    widths = [tuple(p.shape[:2]) for p in synthesis.layers.parameters() if p.dim() == 4]
    assert widths == [(512, 256), (256, 128), (128, 64), (64, 32), (3, 32)]


def test_each_code_fills_its_half_of_the_map():
    torch.manual_seed(0)
    synthesis = TGANSynthesis(content_dim=3, motion_dim=2, size=8, base_channels=8)
    seen = []
    synthesis.layers[0].register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    content, motion = torch.randn(4, 3), torch.randn(4, 2)
    assert synthesis(content, motion).abs().max() <= 1
    synthesis(content, motion.flip(0))
    assert seen[0].shape == (4, 8, 4, 4)
    assert torch.equal(seen[0][:, :4], seen[1][:, :4])
    torch.testing.assert_close(seen[0][:, 4:], seen[1][:, 4:].flip(0))
    assert not torch.allclose(seen[0][:, 4:], seen[1][:, 4:])


def test_without_a_motion_code_the_content_fills_the_map():
    synthesis = TGANSynthesis(content_dim=3, motion_dim=0, size=8, base_channels=8)
    assert synthesis.from_motion is None
    assert synthesis(torch.randn(4, 3), torch.empty(4, 0)).shape == (4, 3, 8, 8)


def test_content_of_a_clip_is_uniform_where_wanted():
    small = {"motion": partial(Deconv1dMotion, base_channels=2), "synthesis": partial(TGANSynthesis, size=8)}
    generator = Framewise(**small, content_dim=20, content_law="uniform")
    content = generator.sample_latent(50, regular_times(50, 16), rng.generator(0))["content"]
    assert content.abs().max() <= 1
    assert abs(content.mean()) < 0.05
    assert abs(content.std() - 3**-0.5) < 0.02
    with pytest.raises(ValueError, match=r"generator\.content_law must be normal or uniform, not 'cauchy'"):
        Framewise(**small, content_law="cauchy")
