import math

import pytest
import torch
from torch import Tensor

from vgen.generator.synthesis.stylegan2 import StyleGAN2

TOY = {
    "content_dim": 5,
    "motion_dim": 3,
    "size": 16,
    "channels": 2,
    "w_dim": 6,
    "base_channels": 4,
    "max_channels": 8,
}


def make(**changes) -> StyleGAN2:
    torch.manual_seed(0)
    synthesis = StyleGAN2(**TOY | changes)
    for parameter in synthesis.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return synthesis


def codes(frames: int = 3, label_dim: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    content = torch.randn(frames, 5, generator=rng)
    label = torch.eye(label_dim)[torch.arange(frames) % label_dim] if label_dim else content[:, :0]
    return torch.cat([content, label], 1), torch.randn(frames, 3, generator=rng)


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
@pytest.mark.parametrize("motion_to", ["input", "w"])
@pytest.mark.parametrize("noise", [False, True])
def test_every_form_paints_and_learns(architecture, motion_to, noise: bool):
    synthesis = make(architecture=architecture, motion_to=motion_to, noise=noise, label_dim=2)
    content, motion = (code.requires_grad_() for code in codes(label_dim=2))
    frames = synthesis(content, motion)
    assert frames.shape == (3, 2, 16, 16)
    (frames * torch.randn_like(frames)).sum().backward()
    for name, parameter in synthesis.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    assert content.grad.any(1).all()
    assert motion.grad.any(1).all()


@pytest.mark.parametrize(
    ("size", "width", "millions"), [(256, 64, 31.58 - 6.292), (128, 128, 31.58 - 6.292 - 0.242)]
)
def test_parameters_of_the_paper(size: int, width: int, millions: float):
    """Without the 6.292 M of the motion; `tests/generator/test_styleganv_generator.py` counts the whole."""
    with torch.device("meta"):
        synthesis = StyleGAN2(content_dim=512, motion_dim=512, size=size, base_channels=width)
    mapping = sum(p.numel() for p in synthesis.mapping.parameters())
    assert mapping == 2 * (512 * 512 + 512)
    assert (sum(p.numel() for p in synthesis.parameters()) - mapping) / 1e6 == pytest.approx(
        millions, abs=6e-3
    )


def test_frames_do_not_leak_and_noise_stands_still_in_evaluation():
    synthesis = make(noise=True)
    content, motion = codes()
    assert not torch.equal(synthesis(content, motion), synthesis(content, motion))
    synthesis.eval()
    whole = synthesis(content, motion)
    assert torch.equal(whole, synthesis(content, motion))
    torch.testing.assert_close(synthesis(content[1:2], motion[1:2]), whole[1:2], atol=1e-5, rtol=1e-5)


def test_motion_enters_where_it_is_told_to():
    for motion_to, first, style in (("input", 8 + 3, 6), ("w", 8, 6 + 3)):
        synthesis = make(motion_to=motion_to)
        assert synthesis.first.weight.shape[1] == first
        assert synthesis.first.style.weight.shape[1] == style
    assert make(motion_dim=0)(codes()[0], torch.zeros(3, 0)).shape == (3, 2, 16, 16)


def test_every_layer_can_have_a_style_of_its_own():
    synthesis = make().eval()
    content, motion = codes()
    w = synthesis.mapping(content)[:, None].expand(-1, synthesis.layers, -1)
    whole = synthesis(content, motion)
    assert torch.equal(synthesis.paint(w, motion), whole)
    for layer in range(synthesis.layers):
        other = w.clone()
        other[:, layer] += 1
        assert not torch.allclose(synthesis.paint(other, motion), whole), layer


def test_skip_adds_up_what_every_size_paints():
    """With all but the first size's pixels silenced, the frame is the first one's picture, enlarged."""
    synthesis = make(size=8).double().eval()
    for block in synthesis.blocks:
        torch.nn.init.zeros_(block.pixels.weight)
        torch.nn.init.zeros_(block.pixels.bias)
    content, motion = (code.double() for code in codes())
    w = synthesis.mapping(content)
    x = torch.cat(
        [synthesis.constant.expand(3, -1, -1, -1), motion[:, :, None, None].expand(-1, -1, 4, 4)], 1
    )
    small = synthesis.first_pixels(synthesis.first(x, w), w)
    # Between pixels lie 3/4 and 1/4 of the two nearest ones; beyond the border is zero.
    weights = torch.zeros(8, 4, dtype=torch.float64)
    for pixel in range(8):
        near, far = pixel // 2, pixel // 2 + (1 if pixel % 2 else -1)
        weights[pixel, near] = 0.75
        if 0 <= far < 4:
            weights[pixel, far] = 0.25
    torch.testing.assert_close(synthesis(content, motion), weights @ small @ weights.T, atol=1e-6, rtol=1e-6)


def test_reduced_precision_is_for_large_frames_and_bounded():
    synthesis = make(size=32, reduced_sizes=1, clamp=0.5).eval()
    kinds = []
    for block in synthesis.blocks:
        block.two.register_forward_hook(
            lambda _, given, made: kinds.append((made.dtype, made.abs().max().item()))
        )
    content, motion = codes()
    exact = synthesis(content, motion)
    kinds.clear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = synthesis(content, motion)
    assert [kind for kind, _ in kinds] == [torch.float32, torch.float32, torch.bfloat16]
    assert all(most <= 0.5 for _, most in kinds)
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


def test_differentiable_twice():
    """As path length does."""
    synthesis = make(size=8).double()
    content, motion = (code[:1].double().requires_grad_() for code in codes())
    frames = synthesis(content, motion)
    first = torch.autograd.grad(
        (frames * torch.randn_like(frames)).sum(), (content, motion), create_graph=True
    )
    sum(gradient.square().sum() for gradient in first).backward()
    assert content.grad.any()
    assert motion.grad.any()
    assert torch.autograd.gradcheck(lambda *given: synthesis.eval()(*given)[..., ::3, ::3], (content, motion))


def test_what_cannot_be():
    for changes, message in (({"motion_to": "z"}, "motion_to"), ({"architecture": "orig"}, "architecture")):
        with pytest.raises(ValueError, match=message):
            make(**changes)


def test_outputs_keep_a_sane_spread_at_the_start():
    torch.manual_seed(0)
    synthesis = StyleGAN2(content_dim=64, motion_dim=32, size=64, w_dim=64, base_channels=16, max_channels=64)
    frames = synthesis(torch.randn(4, 64), torch.randn(4, 32))
    assert 0.2 < frames.std() / math.sqrt(5) < 2
