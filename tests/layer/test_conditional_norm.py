import torch
import torch.nn.functional as F

from vgen.layer.conditional_norm import ConditionalBatchNorm


def test_the_code_sets_gain_and_offset():
    torch.manual_seed(0)
    layer = ConditionalBatchNorm(3, 4).double()
    x, code = torch.randn(5, 3, 2, 6, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    normal = F.batch_norm(x, None, None, training=True)
    gain, shift = (made(code)[:, :, None, None] for made in (layer.gain, layer.shift))
    torch.testing.assert_close(layer(x, code), normal * (1 + gain) + shift)
    nothing = torch.zeros_like(code)
    torch.testing.assert_close(layer(x[..., 0], nothing), F.batch_norm(x[..., 0], None, None, training=True))
    assert {name for name, _ in layer.named_parameters()} == {"gain.weight", "shift.weight"}


def test_statistics_of_every_frame_by_itself():
    torch.manual_seed(0)
    layer = ConditionalBatchNorm(3, 4, frames=2).double()
    x, code = torch.randn(5, 3, 2, 6, 6, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    x = x * torch.tensor([1.0, 9.0], dtype=torch.float64)[:, None, None]
    normal = torch.stack([F.batch_norm(frame, None, None, training=True) for frame in x.unbind(2)], 2)
    gain, shift = (made(code)[:, :, None, None, None] for made in (layer.gain, layer.shift))
    torch.testing.assert_close(layer(x, code), normal * (1 + gain) + shift)
