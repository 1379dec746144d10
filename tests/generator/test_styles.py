"""What generators whose layers take styles offer: styles, painting from them, mixing in training, maps of styles."""

from functools import partial
from itertools import pairwise

import pytest
import torch
from styled import FORMS, STYLED, WAVES, built
from styled_training import assert_resumed_bit_for_bit

from vgen import rng
from vgen.clip import Clip, Judgement, Step, regular_times, style_shape
from vgen.condition.codes import FreeCodes
from vgen.condition.conditioned import Conditioned
from vgen.generator.framewise import Framewise
from vgen.generator.motion.lstm_residual import LSTMResidualMotion
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.layer.equalized import EqualizedLinear
from vgen.regularizer.path_length import PathLength

TIMES = regular_times(4, 3, 2)


def build(form: str, **changes) -> Framewise:
    return built(form, **changes).double()


def draw(generator) -> dict[str, torch.Tensor]:
    latent = generator.sample_latent(4, TIMES, rng.generator(1))
    return {name: part.double() if part.is_floating_point() else part for name, part in latent.items()}


@pytest.fixture(params=STYLED)
def form(request) -> str:
    return request.param


def test_a_clip_is_painted_from_its_styles_alone(form: str):
    generator = build(form).eval()
    latent = draw(generator)
    w = generator.styles(latent, TIMES)
    layers, width = style_shape(generator)
    assert w.shape == (4, layers, width)
    assert torch.equal(w, w[:, :1].expand_as(w))
    painted = generator(latent | {"w": w, "content": torch.zeros(4, 8)}, TIMES)
    torch.testing.assert_close(painted, generator(latent, TIMES), rtol=1e-9, atol=1e-9)


def test_every_layer_of_style_counts_and_none_is_left_over(form: str):
    generator = build(form).eval()
    for parameter in generator.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    latent = draw(generator)
    w = generator.styles(latent, TIMES).detach().clone().requires_grad_()
    video = generator(latent | {"w": w}, TIMES)
    (video * torch.randn_like(video)).sum().backward()
    assert w.grad.flatten(2).any(2).all()


def test_maps_are_those_that_read_each_layer(form: str):
    """Against the affine maps of which a change of one layer's style changes the output, seen from outside."""
    generator = build(form).eval()
    for parameter in generator.parameters():
        if not parameter.any():  # StyleGAN3's waves begin without style
            torch.nn.init.normal_(parameter, std=0.5)
    latent = draw(generator)
    w = generator.styles(latent, TIMES).detach()
    affine = [m for name, m in generator.synthesis.named_modules() if isinstance(m, EqualizedLinear)
              and "mapping" not in name and "shift" not in name and "motion_" not in name]  # fmt: skip
    heard: dict[torch.nn.Module, torch.Tensor] = {}
    hooks = [m.register_forward_hook(lambda m, _, out: heard.__setitem__(m, out.detach())) for m in affine]

    def outputs(styles: torch.Tensor) -> dict[torch.nn.Module, torch.Tensor]:
        heard.clear()
        with torch.no_grad():
            generator(latent | {"w": styles}, TIMES)
        return dict(heard)

    before = outputs(w)
    seen = []
    for layer, matrix in enumerate(generator.style_maps()):
        step = torch.randn(w.shape[2], dtype=w.dtype)
        changed = w.clone()
        changed[:, layer] += step
        after = outputs(changed)
        moved = torch.cat([(after[m] - before[m])[0] for m in affine if not torch.equal(after[m], before[m])])
        torch.testing.assert_close(moved, matrix @ step, rtol=1e-9, atol=1e-9)
        seen += [m for m in affine if not torch.equal(after[m], before[m])]
    assert set(seen) == set(affine), "a map that no layer of style reaches"
    for hook in hooks:
        hook.remove()


def test_mixing_is_drawn_in_training_only_and_changes_no_other_draw(form: str):
    mixing, plain = build(form, style_mixing=0.7), build(form)
    latent, other = draw(mixing), draw(plain)
    assert {"content_mixed", "content_mixed_from"} == latent.keys() - other.keys()
    assert all(torch.equal(latent[name], part) for name, part in other.items())
    assert draw(mixing.eval()).keys() == other.keys()
    assert draw(plain.eval()).keys() == other.keys()


def test_mixed_clips_are_those_painted_from_mixed_styles(form: str):
    generator = build(form, style_mixing=1.0)
    latent = draw(generator)
    begin = latent["content_mixed_from"]
    assert len(set(begin.tolist())) > 1
    generator.eval()
    plain = {n: p for n, p in latent.items() if not n.startswith("content_mixed")}
    w = generator.styles(plain, TIMES)
    second = generator.styles(plain | {"content": latent["content_mixed"]}, TIMES)
    for clip, layer in enumerate(begin.tolist()):
        w = w.clone()
        w[clip, layer:] = second[clip, layer:]
    torch.testing.assert_close(generator(latent, TIMES), generator(plain | {"w": w}, TIMES))
    assert not torch.allclose(generator(latent, TIMES), generator(plain, TIMES))


def test_a_clip_that_is_not_mixed_stays_as_it_is():
    generator = build("styleganv", style_mixing=1e-9)
    latent = draw(generator)
    generator.eval()
    plain = {n: p for n, p in latent.items() if not n.startswith("content_mixed")}
    torch.testing.assert_close(generator(latent, TIMES), generator(plain, TIMES))


def test_path_length_differentiates_both_codes():
    generator = build("styleganv", style_mixing=1.0)
    latent = draw(generator)
    term = PathLength().double()
    judged = Judgement({"video": torch.zeros(4)})
    real = Clip(torch.zeros(4, 3, 3, 16, 16).double(), TIMES)
    step = Step(generator, torch.nn.Identity(), lambda clip: judged, real, real, judged, judged, latent)
    both = term(step)
    term.average.zero_()
    alone = PathLength(parts=["content", "motion_noise"]).double()(step)
    assert both > alone > 0
    both.backward()
    assert all(p.grad.isfinite().all() for p in generator.synthesis.parameters() if p.grad is not None)


def test_a_condition_tells_both_codes_the_same():
    generator = build("styleganv", style_mixing=1.0).float()
    told = Conditioned(
        generator=generator, conditions={"codes": FreeCodes(categories=[3], continuous=0)}, frames=3
    )
    latent = told.sample_latent(4, TIMES, rng.generator(0))
    within = told._told(latent, TIMES)
    torch.testing.assert_close(
        within["content"] - latent["content"], within["content_mixed"] - latent["content_mixed"]
    )
    assert (within["content"] != latent["content"]).any()
    assert told(latent, TIMES).shape == (4, 3, 3, 16, 16)
    told.eval()
    assert told.styles(told.sample_latent(4, TIMES, rng.generator(0)), TIMES).shape == (4, *told.style_shape)


def test_training_with_mixing_is_resumed_bit_for_bit(tmp_path):
    def generator():
        return build("mocogan_sg2", style_mixing=0.9).float()

    assert_resumed_bit_for_bit(generator, tmp_path, half=2)


@pytest.mark.parametrize(
    ("motion", "synthesis"),
    [
        (WAVES, partial(DCGAN, size=16, base_channels=4)),
        (partial(LSTMResidualMotion, hidden_dim=4), FORMS["resnet"][1]),
    ],
)
def test_what_has_no_style_of_its_own_for_a_layer_is_refused(motion, synthesis):
    with pytest.raises(ValueError, match=r"generator\.style_mixing=0\.5: .* set it to 0"):
        Framewise(motion=motion, synthesis=synthesis, content_dim=8, style_mixing=0.5)
    assert style_shape(Framewise(motion=motion, synthesis=synthesis, content_dim=8)) is None


def test_widths_of_maps_are_the_style():
    for form in STYLED:
        maps = build(form).style_maps()
        assert len(maps) == build(form).style_shape[0]
        assert all(one.shape[1] == two.shape[1] == 8 for one, two in pairwise(maps))
