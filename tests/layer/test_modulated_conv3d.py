import torch

from vgen.layer.modulated_conv3d import modulated_conv3d


def naive(x, weight, style):
    """Frame by frame: channels scaled by the style of the frame they come from, lengths by that of the middle."""
    out = []
    scaled = x * style.transpose(1, 2)[..., None, None]
    weight = weight / weight[0].numel() ** 0.5
    for t in range(x.shape[2] - weight.shape[2] + 1):
        y = torch.nn.functional.conv3d(scaled[:, :, t : t + weight.shape[2]], weight, padding=(0, 1, 1))
        middle = style[:, t + weight.shape[2] // 2]
        length = (weight[None] * middle[:, None, :, None, None, None]).square().sum((2, 3, 4, 5))
        out.append(y / (length + 1e-8).sqrt()[..., None, None, None])
    return torch.cat(out, 2)


def drawn(kernel: int, frames: int = 5):
    torch.manual_seed(0)
    x = torch.randn(2, 3, frames, 4, 4, dtype=torch.float64)
    weight = torch.randn(2, 3, kernel, 3, 3, dtype=torch.float64)
    return x, weight, torch.randn(2, frames, 3, dtype=torch.float64)


def test_against_its_definition():
    for kernel in (1, 3):
        parts = drawn(kernel)
        torch.testing.assert_close(modulated_conv3d(*parts), naive(*parts))


def test_can_be_differentiated_twice():
    x, weight, style = (part.requires_grad_() for part in drawn(3, 3))
    few = x[:1, :, :, :2, :2].detach().requires_grad_(), weight, style[:1].detach().requires_grad_()
    assert torch.autograd.gradcheck(modulated_conv3d, few, fast_mode=True)
    assert torch.autograd.gradgradcheck(modulated_conv3d, few, fast_mode=True)


def test_half_precision_does_not_overflow():
    x, weight, style = drawn(3)
    large = modulated_conv3d(x.half(), (weight * 1e4).float(), (style * 1e4).float())
    assert large.dtype == torch.float16
    torch.testing.assert_close(large.double(), modulated_conv3d(x, weight, style), atol=0.02, rtol=0.02)
