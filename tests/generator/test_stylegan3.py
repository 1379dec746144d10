import pytest
import torch
from torch import Tensor

from vgen.generator.synthesis.stylegan3 import StyleGAN3
from vgen.layer.magnitude import MagnitudeGain

TOY = {
    "content_dim": 5,
    "motion_dim": 3,
    "size": 16,
    "channels": 2,
    "w_dim": 6,
    "base_channels": 2,
    "max_channels": 4,
    "layers": 5,
    "margin": 4,
}


def make(**changes) -> StyleGAN3:
    torch.manual_seed(0)
    synthesis = StyleGAN3(**TOY | changes)
    for parameter in synthesis.parameters():
        if not parameter.any() and parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.5)
    return synthesis


def codes(frames: int = 3, label_dim: int = 0, motion_dim: int = 3) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    content = torch.randn(frames, 5, generator=rng)
    label = torch.eye(label_dim)[torch.arange(frames) % label_dim] if label_dim else content[:, :0]
    return torch.cat([content, label], 1), torch.randn(frames, motion_dim, generator=rng)


@pytest.mark.parametrize("motion_to", ["both", "input", "w"])
@pytest.mark.parametrize("fuse", ["concat", "add"])
def test_every_form_paints_and_learns(motion_to, fuse):
    synthesis = make(motion_to=motion_to, fuse=fuse, label_dim=2)
    content, motion = (code.requires_grad_() for code in codes(label_dim=2))
    frames = synthesis(content, motion)
    assert frames.shape == (3, 2, 16, 16)
    (frames * torch.randn_like(frames)).sum().backward()
    for name, parameter in synthesis.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    assert content.grad.any(1).all()
    assert motion.grad.any(1).all()


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("size", "base", "millions"),
    [(1024, 32768, 22.31), (256, 32768, 28.47), (256, 16384, 23.32)],
)
def test_parameters_of_config_t(size: int, base: int, millions: float):
    """22.3 M at 1024 pixels is in the paper; tests/layer/test_band_plan.py has what the others rest on."""
    with torch.device("meta"):
        plain = StyleGAN3(content_dim=512, motion_dim=0, size=size, base_channels=base // size)
        moving = StyleGAN3(content_dim=512, motion_dim=512, size=size, base_channels=base // size)
    assert round(count(plain) / 1e6, 2) == millions
    # StyleSV's map of the motion to the input, of [w, v] to w, and its mask.
    assert count(moving) - count(plain) == 513 * 512 + 1025 * 512 + 512


def test_motion_is_kept_out_until_the_mask_has_learnt():
    for motion_to in ("both", "input", "w"):
        torch.manual_seed(0)
        synthesis = StyleGAN3(**TOY, motion_to=motion_to).eval()
        content, motion = codes()
        still = synthesis(content, motion)
        assert torch.equal(synthesis(content, -motion), still)
        still.square().sum().backward()
        assert synthesis.mask.grad.all()
        with torch.no_grad():
            synthesis.mask.add_(1)
        assert not torch.allclose(synthesis(content, -motion), synthesis(content, motion))
    frozen = StyleGAN3(**TOY, learn_mask=False)
    assert [name for name, p in frozen.named_parameters() if not p.requires_grad] == ["mask"]
    with_mask = {name: tuple(p.shape) for name, p in StyleGAN3(**TOY).state_dict().items()}
    assert with_mask == {name: tuple(p.shape) for name, p in frozen.state_dict().items()}


def test_without_motion_there_is_none():
    synthesis = make(motion_dim=0)
    assert synthesis.mask is None
    assert synthesis(codes()[0], torch.zeros(3, 0)).shape == (3, 2, 16, 16)


def test_frames_do_not_leak_in_evaluation():
    synthesis = make().eval()
    content, motion = codes()
    whole = synthesis(content, motion)
    torch.testing.assert_close(synthesis(content[1:2], motion[1:2]), whole[1:2], atol=1e-5, rtol=1e-5)


def test_every_layer_can_have_a_style_of_its_own():
    synthesis = make().eval()
    content, motion = codes()
    w = synthesis.mapping(content)[:, None].expand(-1, synthesis.layers, -1)
    whole = synthesis(content, motion)
    assert synthesis.layers == 5 + 2
    assert torch.equal(synthesis.paint(w, motion), whole)
    for layer in range(synthesis.layers):
        other = w.clone()
        other[:, layer] += 1
        assert not torch.allclose(synthesis.paint(other, motion), whole), layer


def learn_magnitudes(synthesis: StyleGAN3, *given: Tensor) -> None:
    """What thousands of steps do to the moving averages."""
    for module in synthesis.modules():
        if isinstance(module, MagnitudeGain):
            module.decay = 0.3
    with torch.no_grad():
        for _ in range(16):
            synthesis.train()(*given)
    synthesis.eval()


def test_the_picture_moves_with_its_waves_by_less_than_a_pixel():
    """EQ-T of the paper, in decibels of the picture's range: how well a shift of the waves shifts the picture."""
    torch.manual_seed(0)
    synthesis = StyleGAN3(
        content_dim=5, motion_dim=0, size=16, w_dim=6, base_channels=2, max_channels=4, channels=2
    ).double()
    given = torch.randn(1, 5).double(), torch.zeros(1, 0).double()
    learn_magnitudes(synthesis, *given)

    @torch.no_grad()
    def shifted(pixels: float) -> Tensor:
        synthesis.input.affine.bias[2] = pixels / 16
        return synthesis(*given)

    def decibels(here: Tensor, there: Tensor, pixels: int) -> float:
        error = (there[..., pixels:] - here[..., : 16 - pixels]).square().mean().sqrt()
        return (20 * torch.log10((here.amax() - here.amin()) / error)).item()

    still = shifted(0)
    for here, there, pixels in (
        (still, shifted(1), 1),
        (shifted(-0.5), shifted(0.5), 1),
        (still, shifted(3), 3),
    ):
        assert decibels(here, there, pixels) > 35
        assert decibels(here, there, 0) < 25


def test_reduced_precision_is_for_large_frames_and_bounded():
    synthesis = make(size=32, reduced_sizes=1, clamp=0.5).eval()
    assert synthesis.reduced == [False, False, True, True, True]
    kinds = []
    for block in synthesis.blocks:
        block.activation.register_forward_hook(lambda _, given, made: kinds.append(made.dtype))
    content, motion = codes()
    exact = synthesis(content, motion)
    kinds.clear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = synthesis(content, motion)
    assert kinds == [torch.bfloat16 if reduced else torch.float32 for reduced in synthesis.reduced]
    assert rough.dtype == torch.float32
    assert exact.abs().max() <= 0.5 / 4
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


def test_differentiable_twice():
    """As path length does."""
    synthesis = make(size=8, layers=3, critical=1, margin=2).double()
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
    for changes, message in (
        ({"motion_to": "z"}, "motion_to"),
        ({"fuse": "mix"}, "fuse"),
        ({"size": 20}, r"clip\.size=20"),
        ({"critical": 5}, "critical=5"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**changes)


def test_outputs_have_a_quarter_of_magnitude_one_once_magnitudes_are_known():
    torch.manual_seed(0)
    synthesis = StyleGAN3(content_dim=64, motion_dim=8, size=16, w_dim=64, base_channels=8, max_channels=16)
    given = torch.randn(2, 64), torch.randn(2, 8)
    learn_magnitudes(synthesis, *given)
    assert 0.1 < synthesis(*given).square().mean().sqrt() < 0.5
