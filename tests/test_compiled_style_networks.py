"""torch.compile takes the style-based networks as one graph each, in full and in reduced precision."""

import pytest
import torch
from torch import Tensor, nn

from vgen.clip import Clip, regular_times
from vgen.discriminator.styleganv import StyleGANVDiscriminator
from vgen.discriminator.stylesv import StyleSVDiscriminator
from vgen.generator.motion.fourier import FourierMotion
from vgen.generator.synthesis.inr import INR
from vgen.generator.synthesis.stylegan2 import StyleGAN2
from vgen.generator.synthesis.stylegan3 import StyleGAN3

TOY = {"size": 16, "base_channels": 4, "max_channels": 8}
CODES = {"content_dim": 5, "motion_dim": 3, "w_dim": 6}


class Logits(nn.Module):
    """A discriminator of three frames, from pixels to logits."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.judge = kind(**TOY, frames=3)

    def forward(self, video: Tensor) -> Tensor:
        return self.judge(Clip(video, regular_times(len(video), 3))).logits["video"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stylegan2", "inr", "stylegan3", "styleganv", "stylesv"])
def test_one_graph(name: str) -> None:
    torch.manual_seed(0)
    codes = torch.randn(4, 5), torch.randn(4, 3)
    network, given = {
        "stylegan2": lambda: (StyleGAN2(**TOY, **CODES), codes),
        "inr": lambda: (INR(**TOY, **CODES), codes),
        "stylegan3": lambda: (StyleGAN3(**TOY, **CODES, layers=4, margin=4), codes),
        "styleganv": lambda: (Logits(StyleGANVDiscriminator), (torch.randn(4, 3, 3, 16, 16),)),
        "stylesv": lambda: (Logits(StyleSVDiscriminator), (torch.randn(4, 3, 3, 16, 16),)),
    }[name]()
    network.eval()
    expected = network(*given)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*given), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert compiled(*given).isfinite().all()


def test_motion_on_anchors_is_one_graph() -> None:
    """No look at the anchors' numbers cuts it in two; how many there are varies from step to step."""
    motion = FourierMotion(motion_dim=4, noise_dim=4)
    times = torch.tensor([[0.0, 3.0, 7.0], [1.0, 20.0, 31.0]])
    latent = motion.sample_latent(2, times, torch.Generator().manual_seed(0))
    compiled = torch.compile(motion, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(latent, times, None), motion(latent, times, None))
