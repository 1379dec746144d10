import pytest
import torch

from vgen.layer.attention import SelfAttention, separable_attention


def lively(axes: tuple[str, ...], channels: int = 8) -> SelfAttention:
    torch.manual_seed(0)
    layer = SelfAttention(channels, axes).double()
    torch.nn.init.constant_(layer.gamma, 0.7)
    return layer


def clip() -> torch.Tensor:
    return torch.randn(
        2, 8, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()


def test_the_identity_at_first():
    x = clip()
    assert torch.equal(SelfAttention(8, ["time"]).double()(x), x)


@pytest.mark.parametrize(
    ("axes", "reached"),
    [
        (("time",), (3, 1, 1)),
        (("width",), (1, 1, 5)),
        (("height", "width"), (1, 4, 5)),
        (("time", "height", "width"), (3, 4, 5)),
    ],
)
def test_a_position_sees_those_along_the_axes_only(axes: tuple[str, ...], reached: tuple[int, ...]):
    x = clip()
    (gradient,) = torch.autograd.grad(lively(axes)(x)[0, :, 1, 2, 3].sum(), x)
    seen = gradient.abs().sum(1) > 1e-12  # (B, T, H, W)
    assert not seen[1].any()
    assert tuple(len(seen[0].nonzero()[:, axis].unique()) for axis in range(3)) == reached


def test_closed_form_along_time():
    layer, x = lively(("time",)), clip()
    at = x[1, :, :, 2, 3]  # (C, T)
    made = {n: getattr(layer, n)(x)[1, :, :, 2, 3] for n in ("query", "key", "value")}
    weights = torch.einsum("dt,ds->ts", made["query"], made["key"]).softmax(1)
    expected = at + 0.7 * torch.einsum("ts,cs->ct", weights, made["value"])
    torch.testing.assert_close(layer(x)[1, :, :, 2, 3], expected)


def test_second_derivatives():
    layer, x = lively(("height",), channels=4), clip()[:, :4, :1, :2, :2].detach().requires_grad_()
    assert torch.autograd.gradgradcheck(layer, (x,))


def test_separable_attention_goes_one_after_another():
    torch.manual_seed(0)
    both = separable_attention(8, ("time",), ("height", "width")).double()
    for layer in both:
        torch.nn.init.constant_(layer.gamma, 0.5)
    x = clip()
    torch.testing.assert_close(both(x), both[1](both[0](x)))


def test_unknown_axes():
    with pytest.raises(ValueError, match="time, height, width"):
        SelfAttention(8, ["depth"])
    with pytest.raises(ValueError, match="different"):
        SelfAttention(8, ["time", "time"])
